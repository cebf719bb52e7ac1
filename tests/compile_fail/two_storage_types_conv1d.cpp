// EXPECT: halfstep: an operation on two storage types needs an explicit cast<T>() of one of them
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/convolution.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Single = hs::Variable<float, hs::backend::Reference>;
using Half = hs::Variable<hs::float16, hs::backend::Reference>;

auto layer(const Single& x, const Half& weight, const Half& bias) {
#if defined(HALFSTEP_CONTROL)
  return hs::conv1d(hs::cast<hs::float16>(x), weight, bias);
#else
  return hs::conv1d(x, weight, bias);
#endif
}
