// EXPECT: sums kept in 16 bits stall
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/module.hpp>

struct Mine : halfstep::MixedFp16 {
#ifndef HALFSTEP_CONTROL
  using Reduction = halfstep::float16;
#endif
};
using Setup = halfstep::Setup<Mine, halfstep::backend::Reference>;
struct Model : halfstep::nn::Module<Setup> {};

int main() { Model model; }
