// EXPECT: make Gradient the Activation type
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/module.hpp>

struct Mine : halfstep::MixedBf16 {
#ifndef HALFSTEP_CONTROL
  using Gradient = float;
#endif
};
using Setup = halfstep::Setup<Mine, halfstep::backend::Reference>;
struct Model : halfstep::nn::Module<Setup> {};

int main() { Model model; }
