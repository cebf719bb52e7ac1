// EXPECT: add losses before unscale
#include <halfstep/backend/reference.hpp>
#include <halfstep/scale/loss_scaler.hpp>

using namespace halfstep;
using MySetup = Setup<MixedFp16, backend::Reference>;
using Loss = Variable<float, backend::Reference>;

void add(LossScaler<DynamicLossScaling, MySetup>& scaler, const Loss& first, const Loss& second) {
#ifndef HALFSTEP_CONTROL
  auto gradients = scaler.unscale(backward(scaler.scale(first)));
  gradients = backward(second, std::move(gradients));
#else
  auto gradients = backward(scaler.scale(first));
  gradients = backward(scaler.scale(second), std::move(gradients));
#endif
}
