// EXPECT: halfstep: an operation on two storage types needs an explicit cast<T>() of one of them
#include <halfstep/autograd/attention.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Short = hs::Variable<hs::bfloat16, hs::backend::Reference>;
using Half = hs::Variable<hs::float16, hs::backend::Reference>;

auto attended(const Short& q, const Short& k, const Half& v) {
#if defined(HALFSTEP_CONTROL)
  return hs::attention(q, k, hs::cast<hs::bfloat16>(v));
#else
  return hs::attention(q, k, v);
#endif
}
