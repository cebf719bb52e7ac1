// EXPECT: gradients of several scales are added in FP32
#include <halfstep/backend/reference.hpp>
#include <halfstep/scale/loss_scaler.hpp>

using namespace halfstep;
struct Policy : MixedFp16 {
#ifndef HALFSTEP_CONTROL
  using GradientAccumulator = float16;
#endif
};
using MySetup = Setup<Policy, backend::Reference>;

void build(const Parameters<MySetup>& parameters) {
  LossScaler scaler(parameters, DynamicLossScaling{}, {.losses = 2});
}
