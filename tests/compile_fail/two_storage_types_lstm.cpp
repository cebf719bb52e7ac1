// EXPECT: halfstep: an operation on two storage types needs an explicit cast<T>() of one of them
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/recurrent.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Single = hs::Variable<float, hs::backend::Reference>;
using Half = hs::Variable<hs::float16, hs::backend::Reference>;

auto output(const Half& x, const Single& input_weight, const Single& hidden_weight) {
#if defined(HALFSTEP_CONTROL)
  return hs::lstm(hs::cast<float>(x), input_weight, hidden_weight);
#else
  return hs::lstm(x, input_weight, hidden_weight);
#endif
}
