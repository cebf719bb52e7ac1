// EXPECT: float16 gradients need loss scaling
#include <halfstep/backend/reference.hpp>
#include <halfstep/scale/loss_scaler.hpp>

using namespace halfstep;
#ifndef HALFSTEP_CONTROL
using Scaling = NoLossScaling;
#else
using Scaling = DynamicLossScaling;
#endif
using MySetup = Setup<MixedFp16, backend::Reference>;

void build(const Parameters<MySetup>& parameters) { LossScaler scaler(parameters, Scaling{}); }
