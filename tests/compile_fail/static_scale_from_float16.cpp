// EXPECT: a loss scale is read off gradients that need none
#include <halfstep/backend/reference.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/train/choose_static_scale.hpp>

using namespace halfstep;
#ifndef HALFSTEP_CONTROL
using Policy = MixedFp16;
#else
using Policy = MixedBf16;
#endif
using MySetup = Setup<Policy, backend::Reference>;
using Loss = Variable<float, backend::Reference>;
struct Model : nn::Module<MySetup> {};

StaticLossScaling choose(const Model& model, const Loss& loss) {
  return choose_static_scale(model, optim::SGD{}, std::vector<int>{1},
                             [&](const Model&, int) { return loss; });
}
