// EXPECT: halfstep: unscale hands the gradients on; give them away: unscale(std::move(gradients))
#include <halfstep/backend/reference.hpp>
#include <halfstep/scale/loss_scaler.hpp>

using namespace halfstep;
using MySetup = Setup<MixedFp16, backend::Reference>;

void unscale(LossScaler<DynamicLossScaling, MySetup>& scaler,
             Gradients<Scaled, MySetup>&& gradients) {
#ifndef HALFSTEP_CONTROL
  auto unscaled = scaler.unscale(gradients);
#else
  auto unscaled = scaler.unscale(std::move(gradients));
#endif
}
