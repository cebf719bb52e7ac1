#pragma once

#include <halfstep/autograd/cast.hpp>
#include <halfstep/backend/setup.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// A variable in its compute type (FP32 for 16-bit storage); anything else as it is.
template <class X>
const X& in_compute_type(const X& x) {
  return x;
}
template <class S, class B>
Variable<typename numeric_traits<S>::compute, B> in_compute_type(const Variable<S, B>& x) {
  return cast<typename numeric_traits<S>::compute>(x);
}

}  // namespace autograd

/// f(x, more...) in FP32: every variable is cast to float on its way in, and the result back to x's
/// storage type on its way out, so that what f computes in between is rounded to 16 bits nowhere.
/// What autocast writes as a region with enabled=False and `.float()` on each input; autograd goes
/// through the casts.
///
///   auto y = fp32_island([](const auto& x) { return x / (sqrt(sum(x * x, -1, true)) + 1e-6); },
///   x); auto loss = fp32_island<keep_output>(energy, x, targets);   // the result stays in FP32
///
/// @tparam Option  keep_output, or nothing
/// @param f     gets a Variable<float, B> for each variable, of whatever storage types, and
///              everything else (labels, numbers) as it is; returns a variable
/// @param x     the first input; float and double inputs are not cast
/// @numerics  one rounding for each element of the result, and of each input's gradient
template <class Option = void, class F, class S, class B, class... More>
auto fp32_island(const F& f, const Variable<S, B>& x, const More&... more) {
  static_assert(std::is_void_v<Option> || std::same_as<Option, keep_output>,
                "halfstep: fp32_island has one option, keep_output: the result stays in FP32");
  auto result = f(autograd::in_compute_type(x), autograd::in_compute_type(more)...);
  static_assert(is_variable<decltype(result)>,
                "halfstep: what runs in an fp32_island returns one variable");
  if constexpr (std::is_void_v<Option>)
    return cast<S>(result);
  else
    return result;
}

}  // namespace halfstep
