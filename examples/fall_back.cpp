// A run that begins in FP16 and falls back to BF16 when its loss scale collapses, without losing a
// step: build/bin/fall_back --help
//
// What is learned is a surface that must be 0 on the border of its domain, by the penalty method:
// the weight of the border's error grows tenfold every hundred steps. So do its gradients,
// and the loss scale gives way to them, until it is 1 and they overflow FP16 all the same. BF16 has
// FP32's range: the same step is done there, with the same masters, moments and counters.

#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/table.hpp>

#include <halfstep/halfstep.hpp>

#include <cmath>

namespace hs = halfstep;

namespace {

struct Options : app::Options {
  int steps = 800;
};

template <class Setup>
struct Surface : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> first{*this, "first", 2, 64};
  hs::nn::Linear<Setup> second{*this, "second", 64, 64};
  hs::nn::Linear<Setup> out{*this, "out", 64, 1};
  auto operator()(const hs::nn::Input<Setup>& x) const {
    return out(hs::tanh(second(hs::tanh(first(x)))));
  }
};

/// Points inside with the height that was measured there, and points on the border.
template <class Setup>
struct Batch {
  using Backend = typename Setup::Backend;
  hs::nn::Input<Setup> inside, border;
  hs::Variable<float, Backend> heights;
  double penalty;
};
template <class Setup>
Batch<Setup> batch_of(int step, std::int64_t seed) {
  constexpr hs::Index points = 128;
  using T = typename Setup::Activation;
  hs::RandomStream random(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(step));
  hs::Tensor<T> inside({points, 2}), border({points, 2});
  hs::Tensor<float> heights({points, 1});
  const auto anywhere = [&] { return 2.0f * random.uniform() - 1.0f; };
  for (hs::Index i = 0; i < points; ++i) {
    const float x = anywhere(), y = anywhere();
    inside.data()[2 * i] = hs::storage_cast<T>(x);
    inside.data()[2 * i + 1] = hs::storage_cast<T>(y);
    heights.data()[i] = (1.0f - x * x) * (1.0f - y * y);
    border.data()[2 * i + i % 2] = hs::storage_cast<T>(anywhere());
    border.data()[2 * i + 1 - i % 2] = hs::storage_cast<T>(i / 2 % 2 == 0 ? 1.0f : -1.0f);
  }
  return {inside, border, heights, std::pow(10.0, step / 100)};
}
constexpr auto penalised_loss = [](const auto& model, const auto& batch) {
  const auto error = hs::mse_loss(hs::cast<float>(model(batch.inside)), batch.heights);
  const auto off = hs::cast<float>(model(batch.border));
  return error + hs::mean(off * off) * batch.penalty;
};

/// Trains from `step` on until the end, or until no lower loss scale could help; returns how far it
/// came. A step that is skipped on the way is done again on its own batch.
template <class Model, class Rule>
int train_from(int step, hs::Trainer<Model, Rule>& trainer, const bool& stuck,
               const Options& options, app::JsonLines& json) {
  using Setup = typename Model::Setup;
  const std::string precision(Setup::Precision::name);
  for (; step < options.steps; ++step) {
    const auto batch = batch_of<Setup>(step, options.seed);
    auto report = trainer.step(batch, penalised_loss);
    while (!report.applied() && !stuck) report = trainer.step(batch, penalised_loss);
    if (stuck) return step;
    if (step % 50 != 49) continue;
    std::cout << "step " << step + 1 << "  " << precision << "  penalty weight " << batch.penalty
              << "  loss " << report.loss() << "  loss scale " << report.loss_scale() << std::endl;
    json.write({{"event", "step"},
                {"step", step + 1},
                {"precision", precision},
                {"penalty", batch.penalty},
                {"loss", report.loss()},
                {"loss_scale", report.loss_scale()}});
  }
  return step;
}

/// The root mean square of the error inside and of the values on the border.
template <class Model>
std::pair<double, double> errors(const Model& model) {
  const hs::inference scope;
  using Setup = typename Model::Setup;
  const auto batch = batch_of<Setup>(0, 1 << 20);
  const auto off = hs::cast<float>(model(batch.border));
  const auto inside = hs::mse_loss(hs::cast<float>(model(batch.inside)), batch.heights);
  const auto root = [](const auto& square) {
    return std::sqrt(static_cast<double>(hs::train::to_host(square).at(0)));
  };
  return {root(inside), root(hs::mean(off * off))};
}

void train(const Options& options) {
  app::JsonLines json(options.json);
  const hs::optim::AdamW rule{.learning_rate = 1e-3, .weight_decay = 0.0};
  bool stuck = false;
  hs::TrainerSettings settings;
  settings.max_skips = 1;  // at the scale's floor one overflow is enough
  settings.call_back = [&](const hs::StuckTraining& what) {
    stuck = true;
    std::cout << what.message() << std::endl;
    return hs::WhenStuck::skip;
  };

  Surface<hs::Setup<hs::MixedFp16>> half;
  half.initialise(static_cast<std::uint64_t>(options.seed));
  hs::Trainer in_half(half, rule, settings);
  const int reached = train_from(0, in_half, stuck, options, json);
  const std::int64_t applied_in_half = in_half.applied_steps();
  if (!stuck) {
    std::cout << "FP16 came to the end by itself\n";
    json.write({{"event", "result"}, {"fell_back", false}, {"applied_steps", applied_in_half}});
    return;
  }

  std::cout << "step " << reached + 1 << ": the loss scale has collapsed; going on in mixed_bf16 "
            << "with the step that was skipped" << std::endl;
  stuck = false;
  Surface<hs::Setup<hs::MixedBf16>> wide;
  auto in_wide = std::move(in_half).continue_as(wide);
  train_from(reached, in_wide, stuck, options, json);
  const auto [inside, border] = errors(wide);
  std::cout << "applied steps " << in_wide.applied_steps() << " of " << options.steps
            << ", of them in FP16 " << applied_in_half << "\nroot mean square error " << inside
            << ", on the border " << border << "\n";
  json.write({{"event", "result"},
              {"fell_back", true},
              {"fell_back_at", reached + 1},
              {"applied_steps", in_wide.applied_steps()},
              {"applied_in_fp16", applied_in_half},
              {"error_inside", inside},
              {"error_on_border", border}});
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  CLI::App line("Begins in FP16 and falls back to BF16 when the loss scale collapses.",
                "fall_back");
  line.add_option("--steps", options.steps, "steps of training")
      ->check(app::at_least(1))
      ->capture_default_str();
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  return app::run(line, count, arguments, [&] {
    app::apply_threads(options);
    train(options);
  });
}
