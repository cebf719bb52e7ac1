// EXPECT: sums kept in 16 bits stall
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/module.hpp>

struct Mine : halfstep::MixedBf16 {
  using Accumulator = halfstep::bfloat16;
#ifdef HALFSTEP_CONTROL
  using Allow16BitAccumulator = void;
#endif
};
using Setup = halfstep::Setup<Mine, halfstep::backend::Reference>;
struct Model : halfstep::nn::Module<Setup> {};

int main() { Model model; }
