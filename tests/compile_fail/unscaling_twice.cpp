// EXPECT: halfstep: these gradients are unscaled already
#include <halfstep/backend/reference.hpp>
#include <halfstep/scale/loss_scaler.hpp>

using namespace halfstep;
using MySetup = Setup<MixedFp16, backend::Reference>;

void unscale(LossScaler<DynamicLossScaling, MySetup>& scaler,
             Gradients<Scaled, MySetup>&& gradients) {
  auto unscaled = scaler.unscale(std::move(gradients));
#ifndef HALFSTEP_CONTROL
  scaler.unscale(std::move(unscaled));
#endif
}
