#pragma once

#include <halfstep/autograd/gradients.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// The first thing of a step: counts it and writes its record.
struct BeginStep {
  const GradientState* gradients;
  std::int64_t* random_step;  ///< the model's: random numbers differ from step to step
  std::int64_t* attempted;
  std::int64_t* applied;
  StepRecord* record;

  HALFSTEP_HOST_DEVICE void operator()() const {
    const SkipReason reason = gradients->skip_reason();
    ++*random_step;
    ++*attempted;
    if (reason == SkipReason::none) ++*applied;
    *record = {gradients->loss,        gradients->scale, gradients->norm,
               gradients->clip_factor, *applied,         reason};
  }
};

}  // namespace halfstep
