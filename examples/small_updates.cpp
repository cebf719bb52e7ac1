// How small updates survive in 16-bit weights, and what each way costs: one network on MNIST, BF16
// weights, a learning rate at which most updates are below half an ulp of their weight:
// build/bin/small_updates --help

#include <app/command_line.hpp>
#include <app/json_lines.hpp>
#include <app/table.hpp>

#include <halfstep/halfstep.hpp>

namespace hs = halfstep;

namespace {

/// BF16 throughout; how updates survive is what differs.
template <class Kind>
struct Bf16With : hs::MixedBf16 {
  using Update = Kind;
};

template <class Setup>
struct Classifier : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> hidden{*this, "hidden", 784, 512};
  hs::nn::Linear<Setup> out{*this, "out", 512, 10};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::relu(hidden(x))); }
};

using Data = decltype(hs::data::mnist(""));

template <class Policy>
void train(const std::string& name, const std::string& beside, const Data& data,
           const app::Options& options, app::JsonLines& json, app::Table& table) {
  using Setup = hs::Setup<Policy>;
  Classifier<Setup> model;
  model.initialise(static_cast<std::uint64_t>(options.seed));
  hs::Trainer trainer(model, hs::optim::AdamW{.learning_rate = *options.learning_rate});
  hs::data::Loader<Setup> loader(
      data.first, {.batch_size = options.batch, .seed = static_cast<std::uint64_t>(options.seed)});
  double loss = 0.0;
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    double sum = 0.0;
    for (const auto& batch : loader)
      sum += trainer
                 .step(batch,
                       [](const auto& model, const auto& batch) {
                         return hs::cross_entropy(model(batch.x), batch.y);
                       })
                 .loss();
    loss = sum / static_cast<double>(loader.size());
  }
  const double accuracy = hs::accuracy(model, data.second);
  const hs::optim::MemoryUse memory = trainer.optimizer().memory();
  const auto each = [&](hs::Index bytes) {
    return app::fixed(static_cast<double>(bytes) / static_cast<double>(memory.parameters), 0);
  };
  table.add({name, beside, each(memory.weights), each(memory.gradients),
             each(memory.beside_weights), each(memory.moments),
             app::fixed(memory.per_parameter(), 0), app::fixed(loss, 4),
             app::fixed(100.0 * accuracy, 2) + " %"});
  json.write({{"event", "result"},
              {"update", name},
              {"bytes_per_parameter", memory.per_parameter()},
              {"optimizer_bytes", trainer.optimizer().optimizer_bytes()},
              {"final_loss", loss},
              {"test_accuracy", accuracy}});
}

void compare(const app::Options& options) {
  const Data data = hs::data::mnist(options.data);
  app::JsonLines json(options.json);
  app::Table table({"update", "beside the weight", "weight", "gradient", "beside", "moments",
                    "bytes a\nparameter", "final\nloss", "test\naccuracy"});
  const auto run = [&]<class Kind>(Kind, const std::string& name, const std::string& beside) {
    train<Bf16With<Kind>>(name, beside, data, options, json, table);
  };
  namespace update = hs::update;
  run(update::MasterWeights{}, "MasterWeights", "FP32 master");
  run(update::SplitMaster{}, "SplitMaster", "16 bits of the master");
  run(update::StochasticRounding{}, "StochasticRounding", "nothing");
  run(update::KahanSum{}, "KahanSum", "what rounding took");
  run(update::UnsafeNearest{}, "UnsafeNearest", "nothing");
  (json.on_standard_output() ? std::cerr : std::cout) << table;
}

}  // namespace

int main(int count, char** arguments) {
  app::Options options;
  options.data = app::carried_data("mnist");
  options.epochs = 2;
  options.learning_rate = 5e-5;
  CLI::App line("Compares how small updates survive in BF16 weights.", "small_updates");
  app::add_data(line, options, "folder with MNIST's four files, gzip or not");
  app::add_epochs(line, options);
  app::add_batch(line, options);
  line.add_option("--learning-rate", options.learning_rate, "AdamW's")
      ->check(app::positive_number())
      ->capture_default_str();
  app::add_seed(line, options);
  app::add_threads(line, options);
  app::add_json(line, options);
  return app::run(line, count, arguments, [&] {
    app::apply_threads(options);
    compare(options);
  });
}
