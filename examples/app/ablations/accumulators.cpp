// Section 3.3 of the paper: dot products of 16-bit numbers are summed in FP32. A sum kept in FP16
// stalls once a product is less than half an ulp of it: numbers below 1 add up to 2048 and no
// further, in BF16 to 256.
//
// Who meets it: long sums of one sign. A calorimeter adds up the signals of 8192 cells, each with a
// calibration of its own, to the energy of what has hit it.

#include <app/ablations/training.hpp>

#include <halfstep/backend/reference.hpp>

namespace app {
namespace {

namespace hs = halfstep;
using hs::Index;

struct Fp16Accumulator : hs::MixedFp16 {
  static constexpr std::string_view name = "fp16_accumulator";
  using Accumulator = hs::float16;
  using Allow16BitAccumulator = void;
};
struct Bf16Accumulator : hs::MixedBf16 {
  static constexpr std::string_view name = "bf16_accumulator";
  using Accumulator = hs::bfloat16;
  using Allow16BitAccumulator = void;
};

constexpr Index cells = 8192;
constexpr Index events = 128;
constexpr Index batch_size = 16;
constexpr int epochs = 25;

/// The mean over the cells of signal times calibration.
template <class Setup>
struct Calorimeter : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> sum{
      *this, "sum", cells, 1, {.bias = false, .initialiser = hs::nn::constant(1.0f)}};
  auto operator()(const hs::nn::Input<Setup>& x) const {
    return hs::cast<float>(sum(x)) * (1.0 / static_cast<double>(cells));
  }
};

hs::data::RegressionSet shots(std::uint64_t seed) {
  hs::RandomStream random(seed, 7);
  std::vector<double> calibration;
  for (Index i = 0; i < cells; ++i)
    calibration.push_back(0.9 + 0.1 * static_cast<double>(random.normal()));
  std::vector<float> signals;
  std::vector<double> energies;
  for (Index event = 0; event < events; ++event) {
    double energy = 0.0;
    for (const double factor : calibration) {
      signals.push_back(0.5f + 0.5f * random.uniform());
      energy += factor * static_cast<double>(signals.back()) / static_cast<double>(cells);
    }
    energies.push_back(energy);
  }
  return hs::data::from_memory(signals, {events, cells}, energies);
}

template <class Policy>
Trial calibrate(std::uint64_t seed) {
  // The one backend that can sum in 16 bits.
  using Setup = hs::Setup<Policy, hs::backend::Reference>;
  const auto data = shots(seed);
  Calorimeter<Setup> model;
  model.initialise(seed);
  hs::data::Loader<Setup, hs::data::Targets> loader(data, {.batch_size = batch_size, .seed = seed});
  hs::Trainer trainer(model, hs::optim::AdamW{.learning_rate = 2e-3, .weight_decay = 0.0}, {},
                      hs::optim::Cosine{.steps = epochs * loader.size()});

  // Signals of 0.75, times one, come to 6144.
  const std::vector<float> even(static_cast<std::size_t>(cells), 0.75f);
  const double reached =
      static_cast<double>(hs::Predictor(model)(even).at(0)) * static_cast<double>(cells);
  Trial trial;
  trial.first_loss = hs::evaluate(model, data, squared_error);
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (const auto& batch : loader) trainer.step(batch, squared_error);
  trial.final_loss = hs::evaluate(model, data, squared_error);
  trial.causes = {reached};
  return trial;
}

}  // namespace

Ablation with_16_bit_accumulators(const AblationSettings& settings) {
  Ablation result;
  result.name = "accumulator";
  result.source = "arXiv 1710.03740, section 3.3";
  result.problem = "8192 positive signals are calibrated so that they add up to an energy";
  result.causes = {{"sum_reached", "8192 times\n0.75 is", false}};
  const auto add = [&]<class Policy>(Policy) {
    result.variants.push_back(over_seeds(std::string(Policy::name), settings, calibrate<Policy>));
  };
  add(hs::Fp32{});
  add(hs::MixedFp16{});
  add(Fp16Accumulator{});
  add(hs::MixedBf16{});
  add(Bf16Accumulator{});
  result.claim =
      "a sum of 6144 stalls at 2048 in FP16 and at 256 in BF16; what such sums leave of the loss "
      "is "
      "more than a thousand times what FP32 sums leave";
  const auto stalls = [&](const char* narrow, const char* wide, double at) {
    return result.variant(narrow).cause(0) == at && result.variant(wide).cause(0) == 6144.0 &&
           result.variant(narrow).final_loss() > 1000.0 * result.variant(wide).final_loss();
  };
  result.holds = stalls("fp16_accumulator", "mixed_fp16", 2048.0) &&
                 stalls("bf16_accumulator", "mixed_bf16", 256.0);
  return result;
}

}  // namespace app
