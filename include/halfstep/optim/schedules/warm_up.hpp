#pragma once

#include <halfstep/optim/schedule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// (step + 1) / steps over the first `steps` steps, so that even the first one moves, and after
/// them another schedule from its beginning:
///
///   WarmUp{1000, Cosine{.steps = 9000}}
template <Schedule Then = ConstantRate>
struct WarmUp {
  std::int64_t steps = 1000;
  Then then = {};

  HALFSTEP_HOST_DEVICE double operator()(std::int64_t step) const {
    if (step >= steps) return then(step - steps);
    return static_cast<double>(step + 1) / static_cast<double>(steps) * then(0);
  }
  void validate() const {
    require_setting(steps >= 1, "WarmUp", "steps", static_cast<double>(steps), "at least 1");
    if constexpr (requires { then.validate(); }) then.validate();
  }
};
WarmUp(std::int64_t)->WarmUp<ConstantRate>;
template <Schedule Then>
WarmUp(std::int64_t, Then) -> WarmUp<Then>;

}  // namespace halfstep
