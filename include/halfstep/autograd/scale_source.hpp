#pragma once

#include <halfstep/autograd/step_report.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// What the checks of a loss's gradients have shown since the scaler's last update(), on the
/// device.
struct PassFindings {
  std::int32_t seen = 0;
  std::int32_t gradients_not_finite = 0;
  std::int32_t loss_not_finite = 0;

  HALFSTEP_HOST_DEVICE void note(SkipReason reason) {
    seen = 1;
    if (reason == SkipReason::gradients_not_finite) gradients_not_finite = 1;
    if (reason == SkipReason::loss_not_finite) loss_not_finite = 1;
  }
  HALFSTEP_HOST_DEVICE bool bad() const { return gradients_not_finite + loss_not_finite != 0; }
};

/// The loss scale that a backward pass runs under.
struct ScaleSource {
  /// Where the scale lies, on the device; a null pointer means 1.
  const double* scale = nullptr;
  /// The scaler's round: within one the scale is constant.
  std::uint64_t round = 0;
  /// Where each pass is noted by itself, on the device; a null pointer where losses share a scale.
  PassFindings* findings = nullptr;
};

}  // namespace halfstep
