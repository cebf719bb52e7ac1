// EXPECT: halfstep: an operation on two storage types needs an explicit cast<T>() of one of them
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Single = hs::Variable<float, hs::backend::Reference>;
using Half = hs::Variable<hs::float16, hs::backend::Reference>;

auto loss(const Half& x, const Single& target) {
#if defined(HALFSTEP_CONTROL)
  return hs::mse_loss(hs::cast<float>(x), target);
#else
  return hs::mse_loss(x, target);
#endif
}
