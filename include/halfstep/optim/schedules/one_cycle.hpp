#pragma once

#include <halfstep/optim/schedules/cosine.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// From 1 / start_divisor to 1 over the first `rise` of the steps, and down to
/// 1 / (start_divisor end_divisor) at the last, each along half a cosine; the base rate is the
/// highest. (Smith, Topin, arXiv 1708.07120; torch's OneCycleLR)
struct OneCycle {
  std::int64_t steps = 1000;
  double rise = 0.3;
  double start_divisor = 25.0;
  double end_divisor = 1e4;

  HALFSTEP_HOST_DEVICE double operator()(std::int64_t step) const {
    const double start = 1.0 / start_divisor;
    const double end = start / end_divisor;
    const double at = static_cast<double>(step);
    const double last = static_cast<double>(steps - 1);
    const double top = rise * static_cast<double>(steps) - 1.0;
    if (at >= last) return end;
    if (at <= top) return cosine_between(start, 1.0, at / top);
    return cosine_between(1.0, end, (at - top) / (last - top));
  }
  void validate() const {
    constexpr std::string_view name = "OneCycle";
    require_setting(steps >= 1, name, "steps", static_cast<double>(steps), "at least 1");
    require_setting(rise >= 0.0 && rise <= 1.0, name, "rise", rise, "in [0, 1]");
    require_setting(rise * static_cast<double>(steps) > 1.0 || rise == 0.0, name, "rise", rise,
                    "0, or more than one step's share");
    require_setting(start_divisor > 0.0 && std::isfinite(start_divisor), name, "start_divisor",
                    start_divisor, "finite and positive");
    require_setting(end_divisor > 0.0 && std::isfinite(end_divisor), name, "end_divisor",
                    end_divisor, "finite and positive");
  }
};

}  // namespace halfstep
