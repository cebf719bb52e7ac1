// Section 3.2 of the paper: gradients below 2^-24, FP16's smallest number, become zero unless the
// loss is scaled.
//
// Who meets it: whoever leaves data in SI units. A strip of steel clamped at one end bends by
// millimetres; the squared error in square metres has gradients of a millionth and less.

#include <app/ablations/training.hpp>

namespace app {
namespace {

namespace hs = halfstep;
using hs::Index;

struct Fp16WithoutScaling : hs::MixedFp16 {
  static constexpr std::string_view name = "fp16_without_scaling";
  using LossScaling = hs::NoLossScaling;
  using AllowUnscaledFloat16 = void;
};

constexpr Index samples = 4096;
constexpr Index batch_size = 512;
constexpr int epochs = 150;

/// Predicts in millimetres, and answers in metres.
template <class Setup>
struct Deflection : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> first{*this, "first", 3, 64};
  hs::nn::Linear<Setup> second{*this, "second", 64, 64};
  hs::nn::Linear<Setup> out{*this, "out", 64, 1};
  auto operator()(const hs::nn::Input<Setup>& x) const {
    return hs::cast<float>(out(hs::tanh(second(hs::tanh(first(x)))))) * 1e-3;
  }
};

/// F L^3 / (3 E I), I = b h^3 / 12: a strip 30 mm wide under a force at its end. The features are
/// what force, length and thickness are within their ranges, from -1 to 1.
hs::data::RegressionSet strips(std::uint64_t seed) {
  hs::RandomStream random(seed, 7);
  std::vector<float> x;
  std::vector<double> metres;
  const auto within = [&](double low, double high) {
    x.push_back(2.0f * random.uniform() - 1.0f);
    return low + (high - low) * (static_cast<double>(x.back()) + 1.0) / 2.0;
  };
  for (Index i = 0; i < samples; ++i) {
    const double force = within(10.0, 40.0);        // newtons
    const double length = within(0.2, 0.4);         // metres
    const double thickness = within(0.006, 0.009);  // metres
    constexpr double steel = 2.1e11;                // pascals
    const double inertia = 0.03 * std::pow(thickness, 3.0) / 12.0;
    metres.push_back(force * std::pow(length, 3.0) / (3.0 * steel * inertia));
  }
  return hs::data::from_memory(x, {samples, 3}, metres);
}

/// What gradients are like at some steps of a run.
struct GradientShares {
  double below = 0.0;  ///< of those that FP16 has no number for: below 2^-24
  double zero = 0.0;
  double count = 0.0;

  template <class Gradients>
  void add(Gradients& gradients) {
    const auto& store = *gradients.store();
    for (std::size_t i = 0; i < store.count(); ++i)
      for (const float value : gradients.read(store.info(i).name)) {
        below += std::abs(value) < 0x1p-24f;
        zero += value == 0.0f;
        ++count;
      }
  }
};

template <class Policy>
Trial train(std::uint64_t seed) {
  using Setup = hs::Setup<Policy>;
  const auto data = strips(seed);
  Deflection<Setup> model;
  model.initialise(seed);
  hs::data::Loader<Setup, hs::data::Targets> loader(data, {.batch_size = batch_size, .seed = seed});
  // Adam's epsilon must be small beside gradients.
  hs::Trainer trainer(
      model, hs::optim::AdamW{.learning_rate = 3e-3, .epsilon = 1e-12, .weight_decay = 0.0}, {},
      hs::optim::Cosine{.steps = epochs * loader.size()});

  Trial trial;
  trial.first_loss = hs::evaluate(model, data, squared_error);
  GradientShares shares;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    bool looked = epoch % 10 != 0;
    for (const auto& batch : loader) {
      trainer.step(batch, squared_error, [&](auto& gradients) {
        if (!looked) shares.add(gradients);
        looked = true;
      });
    }
  }
  trial.final_loss = hs::evaluate(model, data, squared_error);
  trial.causes = {shares.below / shares.count, shares.zero / shares.count};
  return trial;
}

}  // namespace

Ablation without_loss_scaling(const AblationSettings& settings) {
  Ablation result;
  result.name = "loss_scaling";
  result.source = "arXiv 1710.03740, section 3.2";
  result.problem = "how far a strip of steel bends, in metres";
  result.causes = {{"gradients_below_smallest", "gradients\nbelow 2^-24"},
                   {"zero_gradients", "gradients\nthat are 0"}};
  const auto add = [&]<class Policy>(Policy) {
    result.variants.push_back(over_seeds(std::string(Policy::name), settings, train<Policy>));
  };
  add(hs::Fp32{});
  add(hs::MixedFp16{});
  add(Fp16WithoutScaling{});
  add(hs::MixedBf16{});
  result.claim =
      "most gradients are below 2^-24; with scaling the loss is within 10 % of FP32's in every "
      "run, "
      "without it stays where it began";
  const Variant& fp32 = result.variant("fp32");
  const Variant& scaled = result.variant("mixed_fp16");
  const Variant& unscaled = result.variant("fp16_without_scaling");
  result.holds = fp32.cause(0) > 0.5;
  for (std::size_t i = 0; i < settings.seeds.size(); ++i) {
    const double best = fp32.trials[i].final_loss;
    result.holds = result.holds && fp32.trials[i].left() < 0.01 &&
                   std::abs(scaled.trials[i].final_loss - best) < 0.1 * best &&
                   unscaled.trials[i].left() > 0.99;
  }
  return result;
}

}  // namespace app
