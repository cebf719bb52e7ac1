#pragma once

#include <halfstep/optim/schedule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// From `from` to `to` along half a cosine, with `progress` from 0 to 1.
HALFSTEP_HOST_DEVICE inline double cosine_between(double from, double to, double progress) {
  constexpr double pi = 3.14159265358979323846;
  return to + (from - to) * 0.5 * (1.0 + std::cos(pi * progress));
}

/// floor + (1 - floor) (1 + cos(pi step / steps)) / 2, and `floor` after that. (Loshchilov, Hutter,
/// arXiv 1608.03983, without restarts; torch's CosineAnnealingLR up to `steps`)
struct Cosine {
  std::int64_t steps = 1000;
  double floor = 0.0;

  HALFSTEP_HOST_DEVICE double operator()(std::int64_t step) const {
    if (step >= steps) return floor;
    return cosine_between(1.0, floor, static_cast<double>(step) / static_cast<double>(steps));
  }
  void validate() const {
    require_setting(steps >= 1, "Cosine", "steps", static_cast<double>(steps), "at least 1");
    require_not_negative("Cosine", "floor", floor);
  }
};

}  // namespace halfstep
