// Precision by stage of training: the first epochs in BF16 with FP32 masters, the rest in FP32, as
// one run: build/bin/precision_stages --help
//
// The second stage is the same module built under another Setup. What the first one knew goes over
// exactly: masters, moments, counters, schedule, random numbers and the place in the data.

#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/table.hpp>

#include <halfstep/halfstep.hpp>

namespace hs = halfstep;

namespace {

struct Options : app::Options {
  int first_epochs = 3;
};

template <class Setup>
struct Classifier : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> hidden{*this, "hidden", 784, 512};
  hs::nn::Linear<Setup> out{*this, "out", 512, 10};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::relu(hidden(x))); }
};

using Data = decltype(hs::data::mnist(""));

/// Trains from where the trainer is up to the end of an epoch, counted over the whole run.
template <class Model, class Rule>
void train_to(int epoch, hs::Trainer<Model, Rule>& trainer, const Data& data,
              const Options& options, app::JsonLines& json) {
  using Setup = typename Model::Setup;
  hs::data::Loader<Setup> loader(
      data.first, {.batch_size = options.batch, .seed = static_cast<std::uint64_t>(options.seed)});
  loader.set_position(trainer.place());
  while (trainer.place().epoch < epoch) {
    double loss = 0.0;
    for (const auto& batch : loader)
      loss = trainer
                 .step(batch,
                       [](const auto& model, const auto& batch) {
                         return hs::cross_entropy(model(batch.x), batch.y);
                       })
                 .loss();
    const double accuracy = hs::accuracy(trainer.model(), data.second);
    const std::string precision(Setup::Precision::name);
    std::cout << "epoch " << trainer.place().epoch << "  " << precision
              << std::string(12 - precision.size(), ' ') << "last loss " << app::fixed(loss, 4)
              << "  accuracy " << app::fixed(100.0 * accuracy, 2) << " %  step "
              << trainer.applied_steps() << "  rate "
              << app::fixed(1e3 * trainer.optimizer().learning_rate(), 3) << "e-3" << std::endl;
    json.write({{"event", "epoch"},
                {"precision", precision},
                {"epoch", trainer.place().epoch},
                {"loss", loss},
                {"test_accuracy", accuracy},
                {"applied_steps", trainer.applied_steps()}});
  }
}

void train(const Options& options) {
  const Data data = hs::data::mnist(options.data);
  app::JsonLines json(options.json);
  const hs::optim::AdamW rule{.learning_rate = 1e-3};
  const auto steps = (data.first.size() + options.batch - 1) / options.batch * options.epochs;

  Classifier<hs::Setup<hs::MixedBf16>> narrow;
  narrow.initialise(static_cast<std::uint64_t>(options.seed));
  hs::Trainer first(narrow, rule, {}, hs::optim::Cosine{.steps = steps, .floor = 0.1});
  train_to(options.first_epochs, first, data, options, json);

  Classifier<hs::Setup<hs::Fp32>> wide;
  auto second = std::move(first).continue_as(wide);
  bool equal = true;
  for (std::size_t i = 0; i < wide.store()->count(); ++i)
    equal = equal && wide.store()->read(i) == narrow.store()->read(i);
  std::cout << "from mixed_bf16 to fp32: the FP32 weights are the masters, bit for bit: "
            << (equal ? "yes" : "no") << std::endl;
  train_to(options.epochs, second, data, options, json);
  json.write({{"event", "result"},
              {"masters_equal", equal},
              {"applied_steps", second.applied_steps()},
              {"test_accuracy", hs::accuracy(wide, data.second)}});
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  options.data = app::carried_data("mnist");
  options.epochs = 5;
  CLI::App line("Trains the first epochs in mixed_bf16 and the rest in fp32, as one run.",
                "precision_stages");
  app::add_data(line, options, "folder with MNIST's four files, gzip or not");
  app::add_epochs(line, options);
  line.add_option("--first-epochs", options.first_epochs, "of them in mixed_bf16")
      ->check(app::at_least(0))
      ->capture_default_str();
  app::add_batch(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  return app::run(line, count, arguments, [&] {
    if (options.first_epochs > options.epochs)
      hs::fail<app::CommandLineError>("--first-epochs ", options.first_epochs, " is more than ",
                                      "--epochs ", options.epochs);
    app::apply_threads(options);
    train(options);
  });
}
