// EXPECT: halfstep: a step uses its gradients up; hand them over: step(std::move(gradients))
#include <halfstep/backend/reference.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>

using namespace halfstep;
using MySetup = Setup<MixedFp16, backend::Reference>;

void step(Optimizer<optim::MasterWeights<optim::SGD>, MySetup>& optimizer,
          Gradients<Unscaled, MySetup>&& gradients) {
#ifndef HALFSTEP_CONTROL
  optimizer.step(gradients);
#else
  optimizer.step(std::move(gradients));
#endif
}
