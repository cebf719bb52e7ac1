// EXPECT: 16-bit parameters must say how small updates survive
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/module.hpp>

struct Mine : halfstep::Fp32 {
  using Parameter = halfstep::bfloat16;
#ifdef HALFSTEP_CONTROL
  using Update = halfstep::update::MasterWeights;
#endif
};
using Setup = halfstep::Setup<Mine, halfstep::backend::Reference>;
struct Model : halfstep::nn::Module<Setup> {};

int main() { Model model; }
