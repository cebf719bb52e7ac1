// The training loop written out, for those who want to stand in it: build/bin/own_loop --help
//
// hs::Trainer does the same in one call. Here the types say where the gradients are: backward hands
// out Gradients<Scaled>, unscale turns them into Gradients<Unscaled>, and only those can be
// clipped, read and applied. Leaving out a line does not compile.

#include <app/backends.hpp>
#include <app/command_line.hpp>
#include <app/table.hpp>

#include <halfstep/halfstep.hpp>

namespace hs = halfstep;

namespace {

template <class Setup>
struct Classifier : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> hidden{*this, "hidden", 784, 512};
  hs::nn::Linear<Setup> out{*this, "out", 512, 10};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::relu(hidden(x))); }
};

/// The loop. It knows nothing of precision: the optimizer and the scaler are what a policy needs.
template <class Setup, class Optimizer, class Scaler>
void fit(const std::string& title, Classifier<Setup>& model, Optimizer& optimizer, Scaler& scaler,
         const app::Options& options) {
  const auto [train, test] = hs::data::mnist(options.data);
  const auto seed = static_cast<std::uint64_t>(options.seed);
  hs::data::Loader<Setup> loader(train, {.batch_size = options.batch, .seed = seed});
  hs::StepReport<typename Setup::Backend> report;
  hs::SkipWatch watch({.max_skips = 20});  // stops a run that would spin on NaN unseen
  int skipped = 0;
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    for (const auto& batch : loader) {
      auto loss = hs::cross_entropy(model(batch.x), batch.y);
      auto scaled = hs::backward(scaler.scale(loss));      // Gradients<Scaled>: move-only
      auto gradients = scaler.unscale(std::move(scaled));  // Gradients<Unscaled>
      hs::optim::clip_norm(gradients, 1.0f);
      report = scaler.step(optimizer, std::move(gradients));
      scaler.update();
      watch.look(scaler, report);
      if (!report.applied()) ++skipped;
    }
    std::cout << title << "  epoch " << epoch << "  loss " << app::fixed(report.loss(), 4)
              << "  gradient norm " << app::fixed(report.gradient_norm(), 3) << "  accuracy "
              << app::fixed(100.0 * hs::accuracy(model, test), 2) << " %  skipped " << skipped
              << "  loss scale " << scaler.current_scale() << "\n";
  }
}

/// FP16 with everything named: an FP32 master beside each weight, and a loss scale that adapts.
void train_in_mixed_fp16(const app::Options& options) {
  Classifier<hs::Setup<hs::MixedFp16>> model;
  model.initialise(static_cast<std::uint64_t>(options.seed));
  hs::Optimizer optimizer(model.parameters(),
                          hs::optim::MasterWeights{hs::optim::AdamW{.learning_rate = 1e-3}});
  hs::LossScaler scaler(model, hs::DynamicLossScaling{.initial_scale = 4096.0});
  fit("mixed_fp16, by hand", model, optimizer, scaler, options);
}

/// The same loop in any precision: the policy says what its optimizer and its scaler are.
template <class Setup>
void train_by_policy(const app::Options& options) {
  Classifier<Setup> model;
  model.initialise(static_cast<std::uint64_t>(options.seed));
  auto optimizer =
      hs::default_optimizer<Setup>(model.parameters(), hs::optim::AdamW{.learning_rate = 1e-3});
  auto scaler = hs::default_scaler<Setup>(model.parameters());
  fit(std::string(Setup::Precision::name), model, optimizer, scaler, options);
}

}  // namespace

int main(int count, char** arguments) {
  app::Options options;
  options.data = app::carried_data("mnist");
  options.precision = "fp32,mixed_bf16";
  options.epochs = 1;
  CLI::App line("Trains in a loop that is written out.", "own_loop");
  app::add_data(line, options, "folder with MNIST's four files, gzip or not");
  app::add_precisions(line, options);
  app::add_epochs(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  return app::run(line, count, arguments, [&] {
    using Backend = hs::backend::Default;
    const auto names = app::canonical_precisions(options.precision);
    const auto precisions = app::require_precisions<Backend>(names);
    app::apply_threads(options);
    train_in_mixed_fp16(options);
    for (const std::string& name : precisions)
      hs::with_precision<Backend>(
          name, [&](auto policy) { train_by_policy<hs::Setup<decltype(policy)>>(options); });
  });
}
