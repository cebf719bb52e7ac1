#pragma once

#include <halfstep/optim/clip_norm.hpp>
#include <halfstep/optim/default_optimizer.hpp>
#include <halfstep/scale/loss_scaler.hpp>
#include <halfstep/scale/skip_watch.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What a Trainer does besides its rule.
struct TrainerSettings {
  /// The largest 2-norm of all gradients together; 0 does not clip.
  double clip_norm = 0.0;
  /// After this many skipped steps in a row that no lower loss scale could mend, `when_stuck`, or
  /// what `call_back` answers, is done: see SkipLimit.
  std::int64_t max_skips = 20;
  WhenStuck when_stuck = WhenStuck::throw_error;
  std::function<WhenStuck(const StuckTraining&)> call_back = nullptr;
};

/// Trains a model: forward, backward, loss scaling, clipping and the update, as the model's
/// precision policy says. The policy chooses how small updates survive (the rule is wrapped) and
/// how losses are scaled.
///
///   Trainer trainer(model, optim::AdamW{.learning_rate = 1e-3});
///   trainer.step(batch, [](auto& model, const auto& batch) { return loss; });
template <class Model, class Rule>
class Trainer {
 public:
  using Setup = typename Model::Setup;
  using Backend = typename Setup::Backend;
  using OptimizerType = Optimizer<optim::DefaultWrapper<Setup, Rule>, Setup>;
  using ScalerType = LossScaler<typename Setup::LossScaling, Setup>;
  using Scaling = typename Setup::LossScaling;

  /// @param model     outlives the trainer
  /// @param schedule  the factor on the rule's learning rate over the applied steps
  /// @param scaling   other settings for the policy's kind of loss scaling
  /// @throws UsageError  a setting that cannot work, named with its value
  template <optim::Schedule S = optim::ConstantRate>
  Trainer(Model& model, const Rule& rule, const TrainerSettings& settings = {},
          const S& schedule = {}, const Scaling& scaling = {})
      : model_(&model),
        settings_(checked(settings)),
        optimizer_(default_optimizer(model.parameters(), rule, schedule)),
        scaler_(model.parameters(), scaling),
        watch_({settings.max_skips, settings.when_stuck, settings.call_back}) {}

  /// Leaves the gradients as they are.
  struct Keep {
    void operator()(Gradients<Unscaled, Setup>&) const {}
  };

  /// One step on a batch; `loss(model, batch)` returns the loss as a variable.
  ///
  /// A step whose gradients or loss are not finite changes nothing and says so in its report.
  /// @throws NonFiniteError  `max_skips` steps in a row were skipped and no lower scale could help,
  ///                         unless the settings say what else to do
  /// @param change  is called with the unscaled gradients before they are clipped by norm and
  ///                applied, and may look at them or change them: optim::clip_value(gradients, 1.0)
  template <class Batch, class Loss, class Change = Keep>
  StepReport<Backend> step(const Batch& batch, Loss&& loss, const Change& change = {}) {
    Gradients<Scaled, Setup> scaled = backward(scaler_.scale(loss(*model_, batch)));
    return apply(std::move(scaled), change);
  }

  /// One step over several micro-batches, as if they were one: each loss is taken as its share of
  /// the mean. Their gradients are added in the policy's GradientAccumulator type.
  /// @throws UsageError  there is no batch
  template <class Batches, class Loss>
  StepReport<Backend> step_over(const Batches& batches, Loss&& loss) {
    const auto count = static_cast<double>(std::size(batches));
    std::optional<Gradients<Scaled, Setup>> sum;
    for (const auto& batch : batches) {
      auto scaled = scaler_.scale(loss(*model_, batch) * (1.0 / count));
      if (sum)
        sum = backward(scaled, std::move(*sum));
      else
        sum.emplace(backward(scaled));
    }
    if (!sum) fail<UsageError>("Trainer::step_over: there is no batch");
    return apply(std::move(*sum), Keep{});
  }

  Model& model() { return *model_; }
  OptimizerType& optimizer() { return optimizer_; }
  const OptimizerType& optimizer() const { return optimizer_; }
  ScalerType& scaler() { return scaler_; }
  const ScalerType& scaler() const { return scaler_; }
  const TrainerSettings& settings() const { return settings_; }
  /// The scale of the next loss. Waits for the steps before, as the next two do.
  double loss_scale() const { return scaler_.current_scale(); }
  std::int64_t applied_steps() const { return optimizer_.applied_steps(); }
  std::int64_t skipped_steps() const {
    return optimizer_.attempted_steps() - optimizer_.applied_steps();
  }

 private:
  static TrainerSettings checked(const TrainerSettings& settings) {
    const auto not_negative = [](const char* name, double value) {
      if (!(value >= 0.0))
        fail<UsageError>("TrainerSettings: ", name, " = ", value,
                         " must not be negative; 0 is off");
    };
    not_negative("clip_norm", settings.clip_norm);
    return settings;
  }

  template <class Change>
  StepReport<Backend> apply(Gradients<Scaled, Setup>&& scaled, const Change& change) {
    Gradients<Unscaled, Setup> gradients = scaler_.unscale(std::move(scaled));
    change(gradients);
    if (settings_.clip_norm > 0.0) optim::clip_norm(gradients, settings_.clip_norm);
    StepReport<Backend> report = scaler_.step(optimizer_, std::move(gradients));
    scaler_.update();
    watch_.look(scaler_, report);
    return report;
  }

  Model* model_;
  TrainerSettings settings_;
  OptimizerType optimizer_;
  ScalerType scaler_;
  SkipWatch watch_;
};

template <class Model, class Rule, class... Rest>
Trainer(Model&, const Rule&, const Rest&...) -> Trainer<Model, Rule>;

}  // namespace halfstep
