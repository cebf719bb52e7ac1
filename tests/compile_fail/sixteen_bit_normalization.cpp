// EXPECT: halfstep: a normalization's weights and biases are FP32 whatever x is stored in
#include <halfstep/autograd/batch_norm.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Half = hs::Variable<hs::float16, hs::backend::Reference>;

auto normalized(const Half& x, const Half& weight) {
#if defined(HALFSTEP_CONTROL)
  return hs::layer_norm(hs::batch_norm(x, hs::cast<float>(weight)).y, {8}, hs::cast<float>(weight));
#else
  return hs::layer_norm(x, {8}, weight);
#endif
}
