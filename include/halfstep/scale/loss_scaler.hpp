#pragma once

#include <halfstep/autograd/backward.hpp>
#include <halfstep/precision/loss_scaling.hpp>
#include <halfstep/scale/scale_rule.hpp>

#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Multiplies losses by a scale so that small gradients survive 16-bit storage, and adapts it:
/// torch.amp.GradScaler's state machine, with its state on the device. One scaler serves several
/// losses, models and optimizers; each optimizer skips alone.
///
///   auto scaled = backward(scaler.scale(loss));
///   auto gradients = scaler.unscale(std::move(scaled));   // where they are to be looked at or
///   clipped scaler.step(optimizer, std::move(gradients));         // takes scaled ones too
///   scaler.update();                                      // once, after all optimizers
///
/// A step that was skipped because the *loss* was not finite leaves scale and tracker as they are:
/// no scale can mend that.
///
/// @tparam Scaling  NoLossScaling (the scale is 1), StaticLossScaling or DynamicLossScaling
/// @numerics  the scale is a float, kept in double; with the default factors a power of two
template <class Scaling, class Setup_>
class LossScaler {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;

  /// @throws UsageError  a setting that cannot work, named with its value
  explicit LossScaler(const Parameters<Setup>& parameters, const Scaling& scaling = {})
      : parameters_(parameters), scaling_(scaling) {
    scale::validate(scaling);
    scale_ = TensorOf<double, Backend>(Shape{1});
    counters_ = TensorOf<scale::Counters, Backend>(Shape{1});
    round_ = TensorOf<scale::Round, Backend>(Shape{1});
    set({scale::initial_scale(scaling), {}});
    stages_.reserve(16);
  }
  /// Takes the parameters of a model.
  template <class Model>
  requires requires(Model& model) { model.parameters(); }
  explicit LossScaler(Model& model, const Scaling& scaling = {})
      : LossScaler(model.parameters(), scaling) {}
  LossScaler(LossScaler&&) noexcept = default;
  LossScaler& operator=(LossScaler&&) noexcept = default;
  LossScaler(const LossScaler&) = delete;
  LossScaler& operator=(const LossScaler&) = delete;

  /// loss * scale, for backward.
  template <class S>
  ScaledLoss<S, Setup> scale(const Variable<S, Backend>& loss) const {
    return {loss, parameters_, scale_};
  }

  /// Takes the loss scale off: from now on the gradients read as what they are. One read of them
  /// finds whether all are finite, and their norm.
  /// @throws UsageError  this model's gradients were unscaled or applied since the last update()
  template <class S>
  Gradients<Unscaled, S> unscale(Gradients<Scaled, S>&& gradients) {
    const void* const store = gradients.store().get();
    switch (stage(store)) {
      case Stage::unscaled:
        fail<UsageError>("LossScaler: unscale was called for this model already since the last ",
                         "update(); add losses with backward(loss, std::move(gradients)) first");
      case Stage::stepped:
        fail<UsageError>("LossScaler: unscale was called after step(); call update() between them");
      case Stage::ready:
        break;
    }
    gradients.check();
    Backend::once(scale::Observe{gradients.state(), round_.data()});
    stages_.push_back({store, Stage::unscaled});
    return std::move(gradients).template into<Unscaled>();
  }
  template <class G>
  auto unscale(G&&) {
    using Token = std::remove_cvref_t<G>;
    static_assert(!scale::is_gradients<Token, Unscaled>,
                  "halfstep: these gradients are unscaled already; unscale takes what "
                  "backward(scaler.scale(loss)) returned");
    static_assert(!scale::is_gradients<Token, Scaled> || !std::is_lvalue_reference_v<G>,
                  "halfstep: unscale hands the gradients on; give them away: "
                  "unscale(std::move(gradients))");
    static_assert(scale::is_gradients<Token, Scaled> || scale::is_gradients<Token, Unscaled>,
                  "halfstep: unscale takes the Gradients that backward(scaler.scale(loss)) "
                  "returned");
  }

  /// Lets the optimizer apply the gradients, unless they are not finite; unscales them first where
  /// that was not done.
  /// @throws UsageError  step was called for this model already since the last update(), or these
  ///                     gradients did not come from this scaler's unscale()
  template <class Optimizer, class S>
  StepReport<Backend> step(Optimizer& optimizer, Gradients<Unscaled, S>&& gradients) {
    const void* const store = gradients.store().get();
    switch (stage(store)) {
      case Stage::stepped:
        fail<UsageError>("LossScaler: step was called for this model already since the last ",
                         "update()");
      case Stage::ready:
        if constexpr (Scaling::scales)
          fail<UsageError>(
              "LossScaler: these gradients were not unscaled by this scaler since its ",
              "last update(); compute them with backward(scaler.scale(loss))");
        stages_.push_back({store, Stage::ready});
        break;
      case Stage::unscaled:
        break;
    }
    // Again where transform() has changed them: what went bad since is caught.
    gradients.check();
    Backend::once(scale::Observe{gradients.state(), round_.data()});
    auto report = optimizer.step(std::move(gradients));
    for (auto& entry : stages_)
      if (entry.store == store) entry.stage = Stage::stepped;
    return report;
  }
  template <class Optimizer, class S>
  StepReport<Backend> step(Optimizer& optimizer, Gradients<Scaled, S>&& gradients) {
    if (stage(gradients.store().get()) == Stage::stepped)
      fail<UsageError>(
          "LossScaler: step was called for this model already since the last update()");
    return step(optimizer, unscale(std::move(gradients)));
  }
  template <class Optimizer, class G>
  StepReport<Backend> step(Optimizer&, G&&) {
    using Token = std::remove_cvref_t<G>;
    constexpr bool token =
        scale::is_gradients<Token, Scaled> || scale::is_gradients<Token, Unscaled>;
    static_assert(!token || !std::is_lvalue_reference_v<G>,
                  "halfstep: a step uses its gradients up; hand them over: "
                  "step(optimizer, std::move(gradients))");
    static_assert(token,
                  "halfstep: step takes the optimizer and the Gradients that backward "
                  "returned");
    return {};
  }

  /// Ends the round: the scale shrinks if a step's gradients were not finite, and grows after
  /// growth_interval good rounds in a row.
  /// @throws UsageError  nothing was unscaled or applied since the last update()
  void update() {
    if (stages_.empty())
      fail<UsageError>("LossScaler: update() without a step since the last one; call ",
                       "step(optimizer, std::move(gradients)) first");
    stages_.clear();
    Backend::once(
        scale::EndRound<Scaling>{scaling_, scale_.data(), counters_.data(), round_.data()});
  }

  const Scaling& scaling() const { return scaling_; }
  /// The scale of the next loss. Waits for the rounds before.
  double current_scale() const { return state().scale; }
  /// All that training goes on from. Waits for it.
  scale::State state() const {
    scale::State state;
    Backend::download(scale_.data(), std::span<double>(&state.scale, 1));
    Backend::download(counters_.data(), std::span<scale::Counters>(&state.counters, 1));
    return state;
  }
  /// Goes on from a saved state.
  /// @throws UsageError  a value that these settings cannot have, named; nothing was changed
  void load_state(const scale::State& state) {
    scale::validate(scaling_, state);
    if (!stages_.empty())
      fail<UsageError>("LossScaler: load_state() in the middle of a round; call update() first");
    set(state);
  }
  /// Calls visitor(name, tensor) for what a checkpoint must hold; the tensors share the scaler's
  /// memory and may be written.
  template <class Visitor>
  void visit_state(Visitor&& visitor) {
    visitor(std::string("scale"), scale_);
    visitor(std::string("counters"), counters_);
  }
  /// Where the counters of skipped rounds lie, on the device.
  const scale::Counters* device_counters() const { return counters_.data(); }

 private:
  enum class Stage { ready, unscaled, stepped };
  struct Entry {
    const void* store;
    Stage stage;
  };

  Stage stage(const void* store) const {
    for (const Entry& entry : stages_)
      if (entry.store == store) return entry.stage;
    return Stage::ready;
  }
  void set(const scale::State& state) {
    const scale::Round round{};
    Backend::upload(std::span<const double>(&state.scale, 1), scale_.data());
    Backend::upload(std::span<const scale::Counters>(&state.counters, 1), counters_.data());
    Backend::upload(std::span<const scale::Round>(&round, 1), round_.data());
  }

  Parameters<Setup> parameters_;
  Scaling scaling_;
  TensorOf<double, Backend> scale_;
  TensorOf<scale::Counters, Backend> counters_;
  TensorOf<scale::Round, Backend> round_;
  std::vector<Entry> stages_;  ///< of the models that this round has seen
};

template <class Setup, class Scaling>
LossScaler(const Parameters<Setup>&, const Scaling&) -> LossScaler<Scaling, Setup>;
template <class Setup>
LossScaler(const Parameters<Setup>&) -> LossScaler<typename Setup::LossScaling, Setup>;
template <class Model, class Scaling>
LossScaler(Model&, const Scaling&)
    -> LossScaler<Scaling, typename decltype(std::declval<Model&>().parameters())::Setup>;
template <class Model>
LossScaler(Model&)
    -> LossScaler<typename decltype(std::declval<Model&>().parameters())::Setup::LossScaling,
                  typename decltype(std::declval<Model&>().parameters())::Setup>;

/// The scaler that a policy names, with its default settings.
template <class Setup>
LossScaler<typename Setup::LossScaling, Setup> default_scaler(const Parameters<Setup>& parameters) {
  return LossScaler<typename Setup::LossScaling, Setup>(parameters);
}

}  // namespace halfstep
