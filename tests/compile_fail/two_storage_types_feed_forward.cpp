// EXPECT: halfstep: an operation on two storage types needs an explicit cast<T>() of one of them
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/feed_forward.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Short = hs::Variable<hs::bfloat16, hs::backend::Reference>;
using Full = hs::Variable<float, hs::backend::Reference>;

auto fed_forward(const Short& x, const Short& weight, const Short& bias, const Full& other) {
  constexpr auto relu = hs::HiddenActivation::relu;
#if defined(HALFSTEP_CONTROL)
  return hs::feed_forward(x, weight, bias, weight, hs::cast<hs::bfloat16>(other), relu);
#else
  return hs::feed_forward(x, weight, bias, weight, other, relu);
#endif
}
