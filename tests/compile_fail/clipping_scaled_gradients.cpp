// EXPECT: halfstep: these gradients still carry the loss scale, and their norm means nothing
#include <halfstep/backend/reference.hpp>
#include <halfstep/optim/clip_norm.hpp>

using namespace halfstep;
using MySetup = Setup<MixedFp16, backend::Reference>;
#ifndef HALFSTEP_CONTROL
using State = Scaled;
#else
using State = Unscaled;
#endif

void clip(Gradients<State, MySetup>& gradients) { optim::clip_norm(gradients, 1.0); }
