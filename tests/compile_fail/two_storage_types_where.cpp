// EXPECT: halfstep: an operation on two storage types needs an explicit cast<T>() of one of them
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Single = hs::Variable<float, hs::backend::Reference>;
using Half = hs::Variable<hs::float16, hs::backend::Reference>;

auto chosen(const Half& condition, const Half& a, const Single& b) {
#if defined(HALFSTEP_CONTROL)
  return hs::where(condition, a, hs::cast<hs::float16>(b));
#else
  return hs::where(condition, a, b);
#endif
}
