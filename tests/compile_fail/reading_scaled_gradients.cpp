// EXPECT: halfstep: these gradients still carry the loss scale; unscale them before they are looked
// at
#include <halfstep/autograd/gradients.hpp>
#include <halfstep/backend/reference.hpp>

using namespace halfstep;
using MySetup = Setup<MixedFp16, backend::Reference>;
#ifndef HALFSTEP_CONTROL
using State = Scaled;
#else
using State = Unscaled;
#endif

std::vector<float> look(Gradients<State, MySetup>& gradients) { return gradients.read("weight"); }
