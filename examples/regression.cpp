// Predicts a column of a CSV file from its other columns: build/bin/regression --help
//
// Without a file it measures a pendulum: its period, from its length and how far it is pulled
// aside.

#include <app/command_line.hpp>
#include <app/table.hpp>

#include <halfstep/data/csv.hpp>
#include <halfstep/halfstep.hpp>
#include <halfstep/optim/schedules/cosine.hpp>

#include <numbers>

namespace hs = halfstep;

namespace {

using Setup = hs::Setup<hs::MixedBf16>;

/// The last layer is in FP32: 16 bits would round what is predicted to three digits.
struct Regressor : hs::nn::Module<Setup> {
  using Precise = Setup::with<hs::Fp32, hs::keep_output>;
  hs::nn::Linear<Setup> first;
  hs::nn::Linear<Setup> second{*this, "second", 64, 64};
  hs::nn::Linear<Precise> out{*this, "out", 64, 1};

  explicit Regressor(hs::Index features) : first(*this, "first", features, 64) {}
  auto operator()(const hs::nn::Input<Setup>& x) const {
    return out(hs::relu(second(hs::relu(first(x)))));
  }
};

/// T = 2 pi sqrt(L / g) / M(1, cos(a / 2)) for a length L and an amplitude a, where M is the
/// arithmetic-geometric mean (Gauss), read off a stopwatch with an error of 10 ms.
hs::data::RegressionSet pendulum(hs::Index count, std::uint64_t seed) {
  hs::RandomStream random(seed);
  std::vector<double> features;
  std::vector<double> periods;
  for (hs::Index i = 0; i < count; ++i) {
    const double length = 0.1 + 1.9 * random.uniform();
    const double amplitude = 0.05 + 2.5 * random.uniform();
    double a = 1.0;
    double b = std::cos(amplitude / 2.0);
    for (int step = 0; step < 5; ++step) {
      const double mean = (a + b) / 2.0;
      b = std::sqrt(a * b);
      a = mean;
    }
    features.insert(features.end(), {length, amplitude});
    periods.push_back(2.0 * std::numbers::pi * std::sqrt(length / 9.81) / a +
                      0.01 * random.normal());
  }
  return hs::data::from_memory(features, {count, 2}, periods);
}

/// What makes a column's mean 0 and its deviation 1.
struct Standard {
  double mean = 0.0;
  double deviation = 1.0;

  explicit Standard(const std::vector<double>& column) {
    const auto count = static_cast<double>(column.size());
    for (const double value : column) mean += value / count;
    double variance = 0.0;
    for (const double value : column) variance += (value - mean) * (value - mean) / count;
    if (variance > 0.0) deviation = std::sqrt(variance);  // a constant column stays what it is
  }
};

/// One for each feature, and the target's last.
std::vector<Standard> standards(const hs::data::RegressionSet& samples) {
  std::vector<Standard> result;
  const auto width = static_cast<std::size_t>(samples.sample_shape().size());
  for (std::size_t column = 0; column <= width; ++column) {
    std::vector<double> values;
    for (hs::Index i = 0; i < samples.size(); ++i) {
      const auto sample = samples.get(i);
      values.push_back(
          static_cast<double>(column < width ? sample.features[column] : sample.target[0]));
    }
    result.emplace_back(values);
  }
  return result;
}

hs::data::RegressionSet standardised(const hs::data::RegressionSet& samples,
                                     const std::vector<Standard>& by) {
  std::vector<double> features;
  std::vector<double> targets;
  const auto scaled = [&](float value, const Standard& standard) {
    return (static_cast<double>(value) - standard.mean) / standard.deviation;
  };
  for (hs::Index i = 0; i < samples.size(); ++i) {
    const auto sample = samples.get(i);
    for (std::size_t column = 0; column < sample.features.size(); ++column)
      features.push_back(scaled(sample.features[column], by[column]));
    targets.push_back(scaled(sample.target[0], by.back()));
  }
  return hs::data::from_memory(features, {samples.size(), samples.sample_shape().size()}, targets);
}

hs::data::RegressionSet from_csv(const std::string& path, const std::string& target,
                                 const std::vector<std::string>& features) {
  return hs::data::read_csv(path).regression(target, {features.begin(), features.end()});
}

constexpr auto squared_error = [](const auto& model, const auto& batch) {
  return hs::mse_loss(model(batch.x), batch.y);
};

}  // namespace

int main(int count, char** arguments) {
  app::Options options;
  options.epochs = 30;
  options.batch = 64;
  std::string csv;
  std::string target;
  std::vector<std::string> features;
  CLI::App line("Predicts a column of a CSV file from its other columns.", "regression");
  auto* file = line.add_option("--csv", csv, "a file with a header line (default: a pendulum)");
  auto* column = line.add_option("--target", target, "the column to predict")->type_name("COLUMN");
  file->needs(column)->type_name("FILE");
  column->needs(file);
  line.add_option("--features", features, "the columns to predict from (default: all others)")
      ->type_name("COLUMN[,COLUMN...]")
      ->delimiter(',')
      ->needs(file);
  app::add_epochs(line, options);
  app::add_batch(line, options);
  app::add_seed(line, options);
  app::add_threads(line, options);
  return app::run(line, count, arguments, [&] {
    app::apply_threads(options);
    const auto seed = static_cast<std::uint64_t>(options.seed);
    const auto all = csv.empty() ? pendulum(4000, seed) : from_csv(csv, target, features);
    // A fifth is kept for the test; what standardises is learned from the rest alone.
    const auto [train, test] = all.shuffled(seed).split(all.size() - (all.size() + 4) / 5);
    const std::vector<Standard> by = standards(train);

    Regressor model(train.sample_shape().size());
    model.initialise(seed);
    const auto training_set = standardised(train, by);
    hs::data::Loader<Setup, hs::data::Targets> loader(training_set,
                                                      {.batch_size = options.batch, .seed = seed});
    const auto steps = static_cast<std::int64_t>(options.epochs) * loader.size();
    hs::Trainer trainer(model, hs::optim::AdamW{.learning_rate = 3e-3}, {},
                        hs::optim::Cosine{.steps = steps});
    for (int epoch = 0; epoch < options.epochs; ++epoch)
      for (const auto& batch : loader) trainer.step(batch, squared_error);

    const double deviation = by.back().deviation;
    const double rmse =
        deviation * std::sqrt(hs::evaluate(model, standardised(test, by), squared_error));
    double squares = 0.0;
    for (hs::Index i = 0; i < test.size(); ++i) {
      const double error = static_cast<double>(test.get(i).target[0]) - by.back().mean;
      squares += error * error / static_cast<double>(test.size());
    }
    app::Table table(
        {"root mean square error of " + (csv.empty() ? "the period" : target), "test"});
    table.add({"predicting the mean", app::fixed(std::sqrt(squares), 4)});
    table.add({"the network", app::fixed(rmse, 4)});
    std::cout << train.size() << " samples to train on, " << test.size() << " to test\n" << table;
  });
}
