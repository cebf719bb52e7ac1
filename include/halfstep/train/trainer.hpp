#pragma once

#include <halfstep/autograd/continue_from.hpp>
#include <halfstep/backend/deterministic_scope.hpp>
#include <halfstep/data/loader_position.hpp>
#include <halfstep/optim/clip_norm.hpp>
#include <halfstep/optim/continue_optimizer.hpp>
#include <halfstep/optim/default_optimizer.hpp>
#include <halfstep/optim/undecayed.hpp>
#include <halfstep/scale/loss_scaler.hpp>
#include <halfstep/scale/skip_watch.hpp>
#include <halfstep/train/step_runner.hpp>
#include <halfstep/train/telemetry.hpp>

#include <optional>

namespace halfstep::inline HALFSTEP_ABI {

namespace train {

/// A loss scale that waits for a stage with dynamic loss scaling.
struct KeptScale {
  DynamicLossScaling scaling;
  scale::State state;
};

}  // namespace train

/// What a Trainer does besides its rule.
struct TrainerSettings {
  /// The largest 2-norm of all gradients together; 0 does not clip.
  double clip_norm = 0.0;
  /// After this many skipped steps in a row that no lower loss scale could mend, `when_stuck`, or
  /// what `call_back` answers, is done: see SkipLimit.
  std::int64_t max_skips = 20;
  WhenStuck when_stuck = WhenStuck::throw_error;
  std::function<WhenStuck(const StuckTraining&)> call_back = nullptr;
  /// Whether weight decay takes hold of biases and of norms' gains too, as PyTorch's does: of
  /// parameters of fewer than two axes that no group has.
  bool decay_vectors = true;
  /// Whether a backend that has graphs (CUDA's) runs a step as one launch. The step's body still
  /// runs each time; it may not read values of the device, and what it does is noted first.
  bool graph = true;
  /// Whether a backend that races the ways to do something takes the first one instead: the same
  /// bits in every process on the same machine, without a table of plans.
  bool deterministic = false;
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
        optimizer_(default_optimizer(grouped(model, settings), rule, schedule)),
        scaler_(model.parameters(), scaling),
        watch_({settings.max_skips, settings.when_stuck, settings.call_back}) {
    if (!settings.decay_vectors)
      optimizer_.set_rule(optim::undecayed_group, optim::without_decay(rule));
  }

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
    return watched([&] {
      Gradients<Scaled, Setup> scaled = backward(scaler_.scale(loss(*model_, batch)));
      note_place(batch);
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
    return watched([&] {
      std::optional<Gradients<Scaled, Setup>> sum;
      for (const auto& batch : batches) {
        auto scaled = scaler_.scale(loss(*model_, batch) * (1.0 / count));
        if (sum)
          sum = backward(scaled, std::move(*sum));
        else
          sum.emplace(backward(scaled));
        note_place(batch);
      }
      return apply(std::move(*sum), Keep{});
    });
  }

  /// From now on the telemetry looks into a step now and then; it outlives the trainer, or the next
  /// call. A null pointer ends it.
  void observe(Telemetry* telemetry) { telemetry_ = telemetry; }

  /// Goes on with another model, the same module built under another Setup: precision by stage of
  /// training. Masters (or the most exact values there are), moments, counters, groups, schedule,
  /// loss scale, random numbers and the place in the data are what they were; this trainer is used
  /// up. A stage without loss scaling keeps the scale for one that has it.
  ///
  ///   auto later = std::move(trainer).continue_as(model_in_fp32);
  ///
  /// @throws UsageError  the models differ, or the other one was trained already: nothing was
  ///                     changed, and this trainer goes on
  template <class Other>
  Trainer<Other, Rule> continue_as(Other& other) && {
    static_assert(std::same_as<typename Other::Setup::Backend, Backend>,
                  "halfstep: training goes on in another precision on the same backend");
    autograd::continue_from(*other.store(), *model_->store());
    Trainer<Other, Rule> next(other, optimizer_.rule(), continued_settings());
    optim::continue_optimizer(next.optimizer_, optimizer_);
    next.settings_ = settings_;
    next.place_ = place_;
    next.telemetry_ = telemetry_;
    next.kept_scale_ = kept_scale_;
    next.take_scale(scaler_);
    model_ = nullptr;
    return next;
  }

  /// Calls visitor(name, tensor) for all that training goes on from, to the bit;
  /// io::save_checkpoint and io::load_checkpoint are such visitors. Waits.
  template <class Visitor>
  void visit_state(Visitor&& visitor) {
    const auto under = [&](const char* folder) {
      return [&visitor, folder](const std::string& name, auto& tensor) {
        visitor(folder + name, tensor);
      };
    };
    // The scaler checks what it is given: where it throws, nothing else was changed.
    scaler_.visit_state(under("scaler/"));
    model_->store()->visit_state(typename Setup::Storages{}, under(""));
    optimizer_.visit_state(under("optimizer/"));
    const std::int64_t before[] = {place_.epoch, place_.batch};
    std::int64_t after[2];
    TensorOf<std::int64_t, Backend> place(Shape{2});
    Backend::upload(std::span<const std::int64_t>(before), place.data());
    visitor(std::string("data/place"), place);
    Backend::download(std::as_const(place).data(), std::span<std::int64_t>(after));
    place_ = {after[0], after[1]};
    // How the backend does its products here: with another choice their last bits differ.
    if constexpr (requires { Backend::visit_plans(visitor); })
      Backend::visit_plans(under("optional/plans/"));
  }

  /// Where in the data training goes on: the place after the last step's batch, for
  /// Loader::set_position.
  data::LoaderPosition place() const { return place_; }

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
  /// How many steps ran as graphs.
  GraphUse graph_use() const { return runner_.use(); }

 private:
  template <class, class>
  friend class Trainer;

  static Parameters<Setup> grouped(Model& model, const TrainerSettings& settings) {
    if (!settings.decay_vectors) optim::separate_vectors(model.parameters());
    return model.parameters();
  }
  /// The groups are there already.
  TrainerSettings continued_settings() const {
    TrainerSettings settings = settings_;
    settings.decay_vectors = true;
    return settings;
  }
  template <class Scaler>
  void take_scale(Scaler& old) {
    using OldScaling = std::remove_cvref_t<decltype(old.scaling())>;
    if constexpr (std::same_as<OldScaling, DynamicLossScaling>)
      kept_scale_ = train::KeptScale{old.scaling(), old.state()};
    if constexpr (std::same_as<Scaling, DynamicLossScaling>) {
      if (!kept_scale_) return;
      scaler_ = ScalerType(model_->parameters(), kept_scale_->scaling);
      scaler_.load_state(kept_scale_->state);
      kept_scale_.reset();
    } else if constexpr (std::same_as<Scaling, OldScaling>) {
      scaler_ = ScalerType(model_->parameters(), old.scaling());
      scaler_.load_state(old.state());
    }
  }
  template <class Batch>
  void note_place(const Batch& batch) {
    if constexpr (requires { place_ = batch.next; }) place_ = batch.next;
  }
  static TrainerSettings checked(const TrainerSettings& settings) {
    const auto not_negative = [](const char* name, double value) {
      if (!(value >= 0.0))
        fail<UsageError>("TrainerSettings: ", name, " = ", value,
                         " must not be negative; 0 is off");
    };
    not_negative("clip_norm", settings.clip_norm);
    return settings;
  }

  template <class Step>
  StepReport<Backend> watched(const Step& step) {
    const backend::DeterministicScope deterministic(settings_.deterministic);
    const auto run = [&] { return runner_.run(settings_.graph, step); };
    StepReport<Backend> report = telemetry_ == nullptr
                                     ? run()
                                     : telemetry_->step(
                                           model_->parameters(), [&] { return loss_scale(); }, run);
    watch_.look(scaler_, report);
    return report;
  }

  template <class Change>
  StepReport<Backend> apply(Gradients<Scaled, Setup>&& scaled, const Change& change) {
    Gradients<Unscaled, Setup> gradients = scaler_.unscale(std::move(scaled));
    change(gradients);
    if (settings_.clip_norm > 0.0) optim::clip_norm(gradients, settings_.clip_norm);
    StepReport<Backend> report = scaler_.step(optimizer_, std::move(gradients));
    scaler_.update();
    watch_.ask(scaler_);
    return report;
  }

  Model* model_;
  TrainerSettings settings_;
  OptimizerType optimizer_;
  ScalerType scaler_;
  SkipWatch watch_;
  train::StepRunner<Backend> runner_;
  Telemetry* telemetry_ = nullptr;
  data::LoaderPosition place_;
  std::optional<train::KeptScale> kept_scale_;
};

template <class Model, class Rule, class... Rest>
Trainer(Model&, const Rule&, const Rest&...) -> Trainer<Model, Rule>;

}  // namespace halfstep
