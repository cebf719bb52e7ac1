// Section 3.1 of the paper: without FP32 masters, updates below half an ulp of their weight are
// lost, however many there are.
//
// Who meets it: everyone who fine-tunes. At a rate of 5e-7 an AdamW step moves a weight by at most
// 2e-6, and half an ulp of an FP16 weight is more than that from 2^-7 on; of a BF16 one, from
// 2^-10 on.

#include <app/ablations/training.hpp>

namespace app {
namespace {

namespace hs = halfstep;
using hs::Index;

struct Fp16WithoutMasters : hs::MixedFp16 {
  static constexpr std::string_view name = "fp16_without_masters";
  using Update = hs::update::UnsafeNearest;
};
struct Bf16WithoutMasters : hs::MixedBf16 {
  static constexpr std::string_view name = "bf16_without_masters";
  using Update = hs::update::UnsafeNearest;
};

constexpr Index features = 16;
constexpr Index samples = 2048;
constexpr int epochs = 200;

template <class Setup>
struct Network : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> first{*this, "first", features, 64};
  hs::nn::Linear<Setup> second{*this, "second", 64, 64};
  hs::nn::Linear<Setup> out{*this, "out", 64, 1};
  auto operator()(const hs::nn::Input<Setup>& x) const {
    return out(hs::tanh(second(hs::tanh(first(x)))));
  }
};

using Full = Network<hs::Setup<hs::Fp32>>;

/// What the network is tuned to: the answers of one whose weights differ by 2 %.
hs::data::RegressionSet nearby_task(const Full& trained, std::uint64_t seed) {
  Full nearby;
  auto& store = *nearby.store();
  hs::RandomStream random(seed, 7);
  for (std::size_t i = 0; i < store.count(); ++i) {
    std::vector<float> values = trained.store()->read(i);
    for (float& value : values) value *= 1.0f + 0.02f * static_cast<float>(random.normal());
    store.write(i, values);
  }
  std::vector<float> x(static_cast<std::size_t>(samples * features));
  for (float& value : x) value = static_cast<float>(random.normal());
  std::vector<float> y(static_cast<std::size_t>(samples));
  const hs::Predictor predict(nearby);
  predict(x, {samples, features}, y);
  return hs::data::from_memory(x, {samples, features}, y);
}

template <class T>
double stored_as(float value) {
  return hs::storage_cast<double>(hs::storage_cast<T>(value));
}

/// The share of updates that a weight stored as T and rounded to nearest would not notice.
template <class T>
double share_lost(const std::vector<float>& before, const std::vector<float>& after) {
  std::size_t lost = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double stored = stored_as<T>(before[i]);
    const double update = static_cast<double>(after[i]) - static_cast<double>(before[i]);
    lost += hs::storage_cast<double>(hs::storage_cast<T>(stored + update)) == stored;
  }
  return static_cast<double>(lost) / static_cast<double>(before.size());
}

template <class Policy>
Trial fine_tune(std::uint64_t seed) {
  using Setup = hs::Setup<Policy>;
  using T = typename Setup::Parameter;
  constexpr bool loses_updates = std::same_as<typename Policy::Update, hs::update::UnsafeNearest>;
  Full trained;
  trained.initialise(seed);
  const auto task = nearby_task(trained, seed);
  Network<Setup> model;
  for (std::size_t i = 0; i < model.store()->count(); ++i)
    model.store()->write(i, trained.store()->read(i));
  hs::Trainer trainer(model, hs::optim::AdamW{.learning_rate = 5e-7, .weight_decay = 0.0});

  Trial trial;
  trial.first_loss = hs::evaluate(model, task, squared_error);
  const std::vector<float> start = weights(model);
  double lost = 0.0;
  hs::data::Loader<Setup, hs::data::Targets> loader(task, {.batch_size = 64, .seed = seed});
  for (int epoch = 0; epoch < epochs; ++epoch) {
    // One step in each epoch is looked at.
    bool looked = loses_updates;
    for (const auto& batch : loader) {
      const std::vector<float> before = looked ? std::vector<float>() : weights(model);
      trainer.step(batch, squared_error);
      if (!looked) lost += share_lost<T>(before, weights(model)) / epochs;
      looked = true;
    }
  }
  const std::vector<float> end = weights(model);
  double moved = 0.0;
  for (std::size_t i = 0; i < end.size(); ++i)
    moved += stored_as<T>(end[i]) != stored_as<T>(start[i]);
  trial.final_loss = hs::evaluate(model, task, squared_error);
  trial.causes = {loses_updates ? not_measured : lost, moved / static_cast<double>(end.size())};
  return trial;
}

}  // namespace

Ablation without_master_weights(const AblationSettings& settings) {
  Ablation result;
  result.name = "master_weights";
  result.source = "arXiv 1710.03740, section 3.1";
  result.problem = "a network is fine-tuned with AdamW at a rate of 5e-7";
  result.causes = {{"updates_below_half_ulp", "updates below\nhalf an ulp"},
                   {"weights_that_moved", "weights that\never moved"}};
  const auto add = [&]<class Policy>(Policy) {
    result.variants.push_back(over_seeds(std::string(Policy::name), settings, fine_tune<Policy>));
  };
  add(hs::Fp32{});
  add(hs::MixedFp16{});
  add(Fp16WithoutMasters{});
  add(hs::MixedBf16{});
  add(Bf16WithoutMasters{});
  result.claim =
      "with masters less than a tenth of the loss is left in every run, without more than half";
  const auto learns = [&](const char* name) {
    return result.variant(name).every([](const Trial& trial) { return trial.left() < 0.1; });
  };
  const auto stalls = [&](const char* name) {
    return result.variant(name).every([](const Trial& trial) { return trial.left() > 0.5; });
  };
  result.holds = learns("fp32") && learns("mixed_fp16") && learns("mixed_bf16") &&
                 stalls("fp16_without_masters") && stalls("bf16_without_masters");
  return result;
}

}  // namespace app
