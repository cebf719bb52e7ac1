#pragma once

#include <app/run.hpp>
#include <app/step_log.hpp>

#include <halfstep/halfstep.hpp>

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
  Model model(train.sample_shape());
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
TrainingResult train_classifier(const Run<typename Model::Setup>& run, const Rule& rule,
                                const halfstep::data::ClassificationSet& train,
                                const halfstep::data::ClassificationSet& test,
                                halfstep::Telemetry* telemetry = nullptr) {
  using Setup = typename Model::Setup;
  const Options& options = run.options;
  const std::int64_t kept = activation_bytes<Model>(rule, train, options.batch);
  halfstep::data::Loader<Setup> loader(train, {.batch_size = options.batch, .seed = run.seed()});
  Model model(train.sample_shape());
  model.initialise(run.seed());
  const halfstep::optim::Cosine schedule{.steps = options.epochs * loader.size(),
                                         .floor = Model::recipe.last_rate};
  halfstep::Trainer trainer(model, rule, {}, schedule, run.scaling);
  trainer.observe(telemetry);

  StepLog<Setup> log(run, options.model);
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    const Place place{"epoch", epoch, options.epochs};
    for (const auto& batch : loader)
      log.step(place, trainer, batch, static_cast<double>(batch.size()), classification_loss);
    log.evaluated(
        place, trainer,
        {share_score("test_accuracy", "test\naccuracy", halfstep::accuracy(model, test))});
  }
  TrainingResult result = log.result(trainer);
  // Not what the log saw: the thread that prepares the next batch takes memory too.
  result.activation_bytes = kept;
  return result;
}

}  // namespace app
