// EXPECT: halfstep: these gradients still carry the loss scale; unscale them first
#include <halfstep/backend/reference.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>

using namespace halfstep;
using MySetup = Setup<MixedFp16, backend::Reference>;
#ifndef HALFSTEP_CONTROL
using State = Scaled;
#else
using State = Unscaled;
#endif

void step(Optimizer<optim::MasterWeights<optim::SGD>, MySetup>& optimizer,
          Gradients<State, MySetup>&& gradients) {
  optimizer.step(std::move(gradients));
}
