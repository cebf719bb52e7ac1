#pragma once

#include <halfstep/autograd/step_report.hpp>
#include <halfstep/ops/finite_check.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What is known of a step's gradients; it lives where they live.
struct GradientState {
  FiniteCheck check;
  double loss = 0.0;
  double scale = 1.0;        ///< what the arenas hold is this times the gradient
  double norm = 0.0;         ///< of the unscaled gradients, before clipping
  double clip_factor = 1.0;  ///< still to be multiplied in, by the optimizer's pass

  /// Why the step that these gradients belong to must be skipped.
  HALFSTEP_HOST_DEVICE SkipReason skip_reason() const {
    const bool loss_bad = !(loss - loss == 0.0);
    return loss_bad               ? SkipReason::loss_not_finite
           : check.found_inf != 0 ? SkipReason::gradients_not_finite
                                  : SkipReason::none;
  }
  /// What an optimizer's pass multiplies the stored gradients by.
  HALFSTEP_HOST_DEVICE double multiplier() const { return clip_factor / scale; }
};

}  // namespace halfstep
