// EXPECT: halfstep: an operation on two storage types needs an explicit cast<T>() of one of them
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/matmul.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Short = hs::Variable<hs::bfloat16, hs::backend::Reference>;
using Half = hs::Variable<hs::float16, hs::backend::Reference>;

auto product(const Short& a, const Half& b) {
#if defined(HALFSTEP_CONTROL)
  return hs::matmul(a, hs::cast<hs::bfloat16>(b));
#else
  return hs::matmul(a, b);
#endif
}
