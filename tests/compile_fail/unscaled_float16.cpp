// EXPECT: float16 gradients need loss scaling
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/module.hpp>

struct Mine : halfstep::MixedFp16 {
#ifndef HALFSTEP_CONTROL
  using LossScaling = halfstep::NoLossScaling;
#else
  using LossScaling = halfstep::StaticLossScaling;
#endif
};
using Setup = halfstep::Setup<Mine, halfstep::backend::Reference>;
struct Model : halfstep::nn::Module<Setup> {};

int main() { Model model; }
