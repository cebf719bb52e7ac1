// Gradients of many micro-batches are summed in FP32. Kept in 16 bits, a sum that has grown takes
// no more notice of what is added.
//
// Who meets it: whoever reaches a large batch through hundreds of small ones, on a device that
// holds no more.

#include <app/ablations/training.hpp>

namespace app {
namespace {

namespace hs = halfstep;
using hs::Index;

struct Fp16Sums : hs::MixedFp16 {
  static constexpr std::string_view name = "fp16_sums";
  using GradientAccumulator = hs::float16;
};
struct Bf16Sums : hs::MixedBf16 {
  static constexpr std::string_view name = "bf16_sums";
  using GradientAccumulator = hs::bfloat16;
};

constexpr Index features = 8;
constexpr Index micro_batches = 4096;
constexpr Index micro_batch = 2;
constexpr Index samples = micro_batches * micro_batch;
constexpr int steps = 10;
constexpr double rate = 0.02;

template <class Setup>
struct Network : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> first{*this, "first", features, 32};
  hs::nn::Linear<Setup> out{*this, "out", 32, 1};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::relu(first(x))); }
};

/// Positive answers to positive questions (areas, ages, prices): the micro-batches pull one way.
hs::data::RegressionSet questions(std::uint64_t seed) {
  hs::RandomStream random(seed, 7);
  std::vector<float> x;
  std::vector<float> y;
  for (Index i = 0; i < samples; ++i) {
    float answer = 1.0f;
    for (Index feature = 0; feature < features; ++feature) {
      x.push_back(random.uniform());
      answer += x.back() * x.back() * (feature % 2 == 0 ? 0.5f : -0.25f);
    }
    y.push_back(answer);
  }
  return hs::data::from_memory(x, {samples, features}, y);
}

struct Summed {
  Trial trial;
  std::vector<float> first_gradient;
};

template <class Policy>
Summed train(std::uint64_t seed) {
  using Setup = hs::Setup<Policy>;
  const auto data = questions(seed);
  Network<Setup> model;
  model.initialise(seed);
  typename Policy::LossScaling scaling;
  // FP16 sums of gradients near 1 must not overflow.
  if constexpr (Policy::LossScaling::scales) scaling.initial_scale = 1024.0;
  hs::Trainer trainer(model, hs::optim::SGD{.learning_rate = rate}, {}, hs::optim::ConstantRate{},
                      scaling);
  std::vector<hs::data::Batch<Setup, hs::data::Targets>> batches;
  for (const auto& batch :
       hs::data::Loader<Setup, hs::data::Targets>(data, {.batch_size = micro_batch, .seed = seed}))
    batches.push_back(batch);

  Summed result;
  result.trial.first_loss = hs::evaluate(model, data, squared_error);
  // The masters' first step is -rate times the gradient.
  result.first_gradient = weights(model);
  for (int step = 0; step < steps; ++step) {
    trainer.step_over(batches, squared_error);
    if (step > 0) continue;
    const std::vector<float> after = weights(model);
    for (std::size_t i = 0; i < after.size(); ++i)
      result.first_gradient[i] = (result.first_gradient[i] - after[i]) / static_cast<float>(rate);
  }
  result.trial.final_loss = hs::evaluate(model, data, squared_error);
  return result;
}

/// |a - b| / |b|
double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0.0;
  double size = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    error += difference * difference;
    size += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(error / size);
}

}  // namespace

Ablation with_16_bit_gradient_sums(const AblationSettings& settings) {
  Ablation result;
  result.name = "gradient_sums";
  result.source = "the same rule over micro-batches";
  result.problem = "10 steps over 4096 micro-batches each";
  result.causes = {{"gradient_error", "error of the\nfirst gradient"}};
  std::vector<std::vector<float>> exact;
  const auto add = [&]<class Policy>(Policy) {
    Variant variant{std::string(Policy::name), {}};
    for (std::size_t i = 0; i < settings.seeds.size(); ++i) {
      Summed summed = train<Policy>(settings.seeds[i]);
      if (exact.size() == i) exact.push_back(summed.first_gradient);  // FP32, the first variant
      summed.trial.causes = {relative_error(summed.first_gradient, exact[i])};
      variant.trials.push_back(summed.trial);
    }
    result.variants.push_back(variant);
  };
  add(hs::Fp32{});
  add(hs::MixedFp16{});
  add(Fp16Sums{});
  add(hs::MixedBf16{});
  add(Bf16Sums{});
  result.claim =
      "summed in FP32 the gradient is right to two unit roundoffs of the 16-bit type; in FP16 it "
      "is "
      "wrong by more than 10 %, in BF16 by more than half, and more loss is left in every run";
  const auto right = [&](const char* name, double unit_roundoff) {
    return result.variant(name).every(
        [&](const Trial& trial) { return trial.causes[0] < 2.0 * unit_roundoff; });
  };
  const auto wrong = [&](const char* narrow, const char* wide, double error, double more) {
    bool all = true;
    for (std::size_t i = 0; i < settings.seeds.size(); ++i) {
      const Trial& trial = result.variant(narrow).trials[i];
      all = all && trial.causes[0] > error &&
            trial.final_loss > more * result.variant(wide).trials[i].final_loss;
    }
    return all;
  };
  result.holds = right("mixed_fp16", hs::numeric_traits<hs::float16>::unit_roundoff) &&
                 right("mixed_bf16", hs::numeric_traits<hs::bfloat16>::unit_roundoff) &&
                 wrong("fp16_sums", "mixed_fp16", 0.1, 1.05) &&
                 wrong("bf16_sums", "mixed_bf16", 0.5, 2.0);
  return result;
}

}  // namespace app
