#pragma once

#include <halfstep/optim/clip_norm.hpp>
#include <halfstep/optim/default_optimizer.hpp>
#include <halfstep/scale/loss_scaler.hpp>
#include <halfstep/train/first_not_finite.hpp>
#include <halfstep/train/telemetry.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What a Trainer does besides its rule.
struct TrainerSettings {
  /// The largest 2-norm of all gradients together; 0 does not clip.
  double clip_norm = 0.0;
  /// After this many skipped steps in a row that no lower loss scale could mend, training stops
  /// with a NonFiniteError.
  std::int64_t max_skips = 20;
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
        scaler_(model.parameters(), scaling) {}

  /// Leaves the gradients as they are.
  struct Keep {
    void operator()(Gradients<Unscaled, Setup>&) const {}
  };

  /// One step on a batch; `loss(model, batch)` returns the loss as a variable.
  ///
  /// A step whose gradients or loss are not finite changes nothing and says so in its report.
  /// @throws NonFiniteError  `max_skips` steps in a row were skipped and no lower scale could help
  /// @param change  is called with the unscaled gradients before they are clipped by norm and
  ///                applied, and may look at them or change them: optim::clip_value(gradients, 1.0)
  template <class Batch, class Loss, class Change = Keep>
  StepReport<Backend> step(const Batch& batch, Loss&& loss, const Change& change = {}) {
    return observed([&] {
      Gradients<Scaled, Setup> scaled = backward(scaler_.scale(loss(*model_, batch)));
      return apply(std::move(scaled), change);
    });
  }

  /// One step over several micro-batches, as if they were one: each loss is taken as its share of
  /// the mean. Their gradients are added in the policy's GradientAccumulator type.
  /// @throws UsageError  there is no batch
  template <class Batches, class Loss>
  StepReport<Backend> step_over(const Batches& batches, Loss&& loss) {
    const auto count = static_cast<double>(std::size(batches));
    if (count == 0.0) fail<UsageError>("Trainer::step_over: there is no batch");
    return observed([&] {
      std::optional<Gradients<Scaled, Setup>> sum;
      for (const auto& batch : batches) {
        auto scaled = scaler_.scale(loss(*model_, batch) * (1.0 / count));
        if (sum)
          sum = backward(scaled, std::move(*sum));
        else
          sum.emplace(backward(scaled));
      }
      return apply(std::move(*sum), Keep{});
    });
  }

  /// From now on the telemetry looks into a step now and then; it outlives the trainer, or the next
  /// call. A null pointer ends it.
  void observe(Telemetry* telemetry) { telemetry_ = telemetry; }

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
    if (settings.max_skips < 1)
      fail<UsageError>("TrainerSettings: max_skips = ", settings.max_skips, " must be at least 1");
    return settings;
  }

  template <class Step>
  StepReport<Backend> observed(const Step& step) {
    if (telemetry_ == nullptr) return step();
    return telemetry_->step(
        model_->parameters(), [&] { return loss_scale(); }, step);
  }

  template <class Change>
  StepReport<Backend> apply(Gradients<Scaled, Setup>&& scaled, const Change& change) {
    Gradients<Unscaled, Setup> gradients = scaler_.unscale(std::move(scaled));
    change(gradients);
    if (settings_.clip_norm > 0.0) optim::clip_norm(gradients, settings_.clip_norm);
    StepReport<Backend> report = scaler_.step(optimizer_, std::move(gradients));
    scaler_.update();
    watch(report);
    return report;
  }

  /// Stops a run that cannot go on. Memory that the host can read costs nothing to look at; another
  /// device is asked only now and then, since asking waits for it.
  void watch(const StepReport<Backend>& report) {
    constexpr bool immediate = Backend::DeviceType::host_accessible;
    if (!immediate && ++unwatched_ < settings_.max_skips) return;
    unwatched_ = 0;
    scale::Counters counters;
    Backend::download(scaler_.device_counters(), std::span<scale::Counters>(&counters, 1));
    if (counters.unmendable_skips_in_row < settings_.max_skips) return;
    const std::string name = train::first_not_finite(*model_->parameters().store());
    const bool loss = report.skip_reason() == SkipReason::loss_not_finite;
    fail<NonFiniteError>(
        counters.unmendable_skips_in_row, " steps in a row were skipped at loss scale ",
        report.loss_scale(), ": ", loss ? "the loss is " : "the gradients are ",
        loss ? (std::isnan(report.loss()) ? "NaN" : "infinite") : "not finite", "; ",
        name.empty() ? std::string("every parameter's gradient is finite")
                     : "the first parameter with a gradient that is not finite is '" + name + "'",
        "; look for NaN in the data, or lower the learning rate");
  }

  Model* model_;
  TrainerSettings settings_;
  OptimizerType optimizer_;
  ScalerType scaler_;
  Telemetry* telemetry_ = nullptr;
  std::int64_t unwatched_ = 0;
};

template <class Model, class Rule, class... Rest>
Trainer(Model&, const Rule&, const Rest&...) -> Trainer<Model, Rule>;

}  // namespace halfstep
