// What the pieces of code in docs/from_pytorch_amp.md stand in.
#include <vector>

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
