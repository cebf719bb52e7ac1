#pragma once

#include <app/options.hpp>
#include <app/parameter_bytes.hpp>
#include <app/progress.hpp>
#include <app/timing.hpp>
#include <app/training_result.hpp>

#include <halfstep/halfstep.hpp>

#include <limits>

namespace app {

inline constexpr auto classification_loss = [](const auto& model, const auto& batch) {
  return halfstep::cross_entropy(model(batch.x), batch.y);
};

/// Bytes of activations: what the forward pass keeps for the backward one. Measured on a step of a
/// model of its own.
template <class Model, class Rule>
std::int64_t activation_bytes(const Rule& rule, const halfstep::data::ClassificationSet& train,
                              halfstep::Index batch_size) {
  using Setup = typename Model::Setup;
  // Without a thread that prepares the next batch, nobody else takes memory meanwhile.
  halfstep::data::Loader<Setup> loader(train, {.batch_size = batch_size, .prefetch = 0});
  const auto& batch = *loader.begin();
  Model model;
  halfstep::Trainer trainer(model, rule);
  trainer.step(batch, classification_loss);  // makes what stays: gradients, moments, plans
  const auto in_use = [] { return Setup::Device::pool().use().in_use; };
  const std::size_t before = in_use();
  std::size_t after = before;
  trainer.step(batch, [&](const auto& model, const auto& batch) {
    auto loss = classification_loss(model, batch);
    after = in_use();
    return loss;
  });
  return static_cast<std::int64_t>(after - before);
}

/// Trains a classifier and tests it after each epoch.
///
/// @param telemetry  looks into its steps; a null pointer: none does
/// @throws halfstep::NonFiniteError  too many steps in a row were skipped
template <class Model, class Rule>
TrainingResult train_classifier(const Options& options, const Rule& rule,
                                const halfstep::data::ClassificationSet& train,
                                const halfstep::data::ClassificationSet& test, Progress& progress,
                                JsonLines& json, halfstep::Telemetry* telemetry = nullptr) {
  using Setup = typename Model::Setup;
  TrainingResult result;
  result.precision = Setup::Precision::name;
  result.model = options.model;
  result.backend = Setup::Backend::name;
  result.seed = options.seed;
  result.activation_bytes = activation_bytes<Model>(rule, train, options.batch);

  const auto seed = static_cast<std::uint64_t>(options.seed);
  Model model;
  model.initialise(seed);
  halfstep::Trainer trainer(model, rule);
  trainer.observe(telemetry);
  halfstep::data::Loader<Setup> loader(train, {.batch_size = options.batch, .seed = seed});

  std::vector<double> step_ms;
  double training_ms = 0.0;
  double samples = 0.0;
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    const std::string where = result.precision + std::string(12 - result.precision.size(), ' ') +
                              "epoch " + std::to_string(epoch) + "/" +
                              std::to_string(options.epochs);
    double loss_sum = 0.0;
    double loss_count = 0.0;
    double epoch_samples = 0.0;
    std::vector<double> epoch_ms;
    const Stopwatch epoch_watch;
    for (const auto& batch : loader) {
      const Stopwatch step_watch;
      const auto report = trainer.step(batch, classification_loss);
      const double loss = report.loss();  // waits for the step
      epoch_ms.push_back(step_watch.milliseconds());
      const auto size = static_cast<double>(batch.size());
      epoch_samples += size;
      if (report.applied()) {
        loss_sum += size * loss;
        loss_count += size;
      }
      if (progress.wants_state())
        progress.state(where + "  step " + std::to_string(epoch_ms.size()) + "  loss " +
                       fixed(loss, 4));
    }
    training_ms += epoch_watch.milliseconds();
    samples += epoch_samples;
    step_ms.insert(step_ms.end(), epoch_ms.begin(), epoch_ms.end());
    result.final_loss =
        loss_count > 0.0 ? loss_sum / loss_count : std::numeric_limits<double>::quiet_NaN();
    result.test_accuracy = halfstep::accuracy(model, test);
    result.skipped_steps = trainer.skipped_steps();
    result.loss_scale = trainer.loss_scale();
    const double epoch_median = median(epoch_ms);
    progress.milestone(where + "  loss " + fixed(result.final_loss, 4) + "  accuracy " +
                       fixed(100.0 * result.test_accuracy, 2) + " %  step " +
                       fixed(epoch_median, 2) + " ms");
    json.write({{"event", "epoch"},
                {"precision", result.precision},
                {"epoch", epoch},
                {"loss", result.final_loss},
                {"test_accuracy", result.test_accuracy},
                {"median_step_ms", epoch_median},
                {"skipped_steps", result.skipped_steps},
                {"loss_scale", result.loss_scale}});
  }
  result.median_step_ms = median(step_ms);
  result.samples_per_second = 1e3 * samples / training_ms;
  result.parameter_bytes = parameter_bytes(model);
  result.optimizer_bytes = static_cast<std::int64_t>(trainer.optimizer().optimizer_bytes());
  return result;
}

}  // namespace app
