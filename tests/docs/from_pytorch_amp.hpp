// What the pieces of code in docs/from_pytorch_amp.md stand in.
#include <vector>

using Wide = hs::Setup<hs::Fp32>;
struct WideNet : hs::nn::Module<Wide> {
  hs::nn::Linear<Wide> hidden{*this, "hidden", 784, 512};
  hs::nn::Linear<Wide> out{*this, "out", 512, 10};
  auto operator()(const hs::nn::Input<Wide>& x) const { return out(hs::relu(hidden(x))); }
};
extern WideNet wide_model;

extern hs::data::Loader<Setup> data;
using Batch = hs::data::Batch<Setup, hs::data::Labels>;
extern Batch batch;
extern std::vector<Batch> micro_batches;

extern Net model, model0, model1;
extern hs::Trainer<Net, hs::optim::SGD> trainer;
using NetOptimizer = hs::Optimizer<hs::optim::MasterWeights<hs::optim::SGD>, Setup>;
extern NetOptimizer optimizer, optimizer0, optimizer1;
extern hs::LossScaler<hs::DynamicLossScaling, Setup> scaler;
extern hs::Variable<float, Setup::Backend> loss;
