// EXPECT: halfstep: an operation on two storage types needs an explicit cast<T>() of one of them
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/custom.hpp>
#include <halfstep/backend/reference.hpp>

namespace hs = halfstep;
using Single = hs::Variable<float, hs::backend::Reference>;
using Half = hs::Variable<hs::float16, hs::backend::Reference>;

auto product(const Half& a, const Single& b) {
  const auto multiply = [](const auto& x, const auto& y) { return x * y; };
  const auto slopes = [](const auto& x, const auto& y) { return std::array{y, x}; };
#if defined(HALFSTEP_CONTROL)
  return hs::elementwise(multiply, slopes, hs::cast<float>(a), b);
#else
  return hs::elementwise(multiply, slopes, a, b);
#endif
}
