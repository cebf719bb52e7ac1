// EXPECT: halfstep: 16-bit parameters must say how small updates survive; wrap the rule:
// EXPECT: MasterWeights{...}, StochasticRounding{...} or by name UnsafeNearest{...}
#include <halfstep/backend/reference.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>

using namespace halfstep;
using MySetup = Setup<MixedBf16, backend::Reference>;

void train(const Parameters<MySetup>& parameters) {
#ifndef HALFSTEP_CONTROL
  Optimizer optimizer(parameters, optim::AdamW{});
#else
  Optimizer optimizer(parameters, optim::MasterWeights{optim::AdamW{}});
#endif
}
