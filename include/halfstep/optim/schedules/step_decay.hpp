#pragma once

#include <halfstep/optim/schedule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// factor^floor(step / interval): the rate drops every `interval` steps. (torch's StepLR)
struct StepDecay {
  std::int64_t interval = 1000;
  double factor = 0.1;

  HALFSTEP_HOST_DEVICE double operator()(std::int64_t step) const {
    const std::int64_t decays = step / interval;
    return std::pow(factor, static_cast<double>(decays));
  }
  void validate() const {
    require_setting(interval >= 1, "StepDecay", "interval", static_cast<double>(interval),
                    "at least 1");
    require_not_negative("StepDecay", "factor", factor);
  }
};

}  // namespace halfstep
