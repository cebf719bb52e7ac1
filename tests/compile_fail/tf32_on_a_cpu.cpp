// EXPECT: this backend has no matrix product for the policy's types
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/module.hpp>

#ifndef HALFSTEP_CONTROL
using Policy = halfstep::Tf32;
#else
using Policy = halfstep::Fp32;
#endif
using Setup = halfstep::Setup<Policy, halfstep::backend::Reference>;
struct Model : halfstep::nn::Module<Setup> {};

int main() { Model model; }
