#pragma once

#include <halfstep/autograd/backward.hpp>
#include <halfstep/ops/mailbox.hpp>
#include <halfstep/scale/round_stages.hpp>
#include <halfstep/scale/scale_rule.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Gives each loss a scale of its own: its overflows lower that one alone. A step is still applied
/// or skipped as a whole.
struct ScalePerLoss {
  Index losses = 1;
};

/// Multiplies losses by a scale so that small gradients survive 16-bit storage, and adapts it:
/// torch.amp.GradScaler's state machine, with its state on the device. One scaler serves several
/// losses, models and optimizers; each optimizer skips alone.
///
///   auto scaled = backward(scaler.scale(loss));
///   auto gradients = scaler.unscale(std::move(scaled));  // to look at them, or to clip them
///   scaler.step(optimizer, std::move(gradients));        // takes scaled ones too
///   scaler.update();                                     // once, after all optimizers
///
/// A step that was skipped because the *loss* was not finite leaves scale and tracker as they are:
/// no scale can mend that.
///
/// With a scale for each loss, `backward(scaler.scale(second, 1), std::move(scaled))` adds to the
/// FP32 sums at the scale that they have, and each pass's gradients are read once more, by
/// themselves. What goes bad later, in the sum or in a transform, is no loss's: the step is
/// skipped, and no scale or tracker moves.
///
/// @tparam Scaling  NoLossScaling (the scale is 1), StaticLossScaling or DynamicLossScaling
/// @numerics  the scale is a float, kept in double; with the default factors a power of two, so
///            that scaling and unscaling round nothing
template <class Scaling, class Setup_>
class LossScaler {
  static_assert(Scaling::scales || autograd::may_go_unscaled<Setup_>,
                "halfstep: float16 gradients need loss scaling, or small ones flush to zero; take "
                "DynamicLossScaling or StaticLossScaling, or say AllowUnscaledFloat16 in the "
                "policy");

 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;

  /// @throws UsageError      a setting that cannot work, named with its value
  /// @throws PrecisionError  the scaler is disabled and the gradients are float16
  explicit LossScaler(const Parameters<Setup>& parameters, const Scaling& scaling = {})
      : LossScaler(Index{1}, parameters, scaling) {}
  /// Takes the parameters of a model.
  template <class Model>
  requires requires(Model& model) { model.parameters(); }
  explicit LossScaler(Model& model, const Scaling& scaling = {})
      : LossScaler(Index{1}, model.parameters(), scaling) {}
  /// Keeps a scale for each of several losses.
  LossScaler(const Parameters<Setup>& parameters, const Scaling& scaling,
             const ScalePerLoss& per_loss)
      : LossScaler(per_loss.losses, parameters, scaling) {
    static_assert(autograd::adds_in_fp32<Setup>,
                  "halfstep: gradients of several scales are added in FP32; make the policy's "
                  "GradientAccumulator float");
  }
  template <class Model>
  requires requires(Model& model) { model.parameters(); }
  LossScaler(Model& model, const Scaling& scaling, const ScalePerLoss& per_loss)
      : LossScaler(model.parameters(), scaling, per_loss) {}
  LossScaler(LossScaler&&) noexcept = default;
  LossScaler& operator=(LossScaler&&) noexcept = default;
  LossScaler(const LossScaler&) = delete;
  LossScaler& operator=(const LossScaler&) = delete;

  /// loss * scale, for backward.
  /// @param which  the loss, counted from 0, where each has a scale of its own
  /// @throws UsageError  there is no such loss
  template <class S>
  ScaledLoss<S, Setup> scale(const Variable<S, Backend>& loss, Index which = 0) const {
    if (which < 0 || which >= losses())
      fail<UsageError>("LossScaler: scale(loss, ", which, "): this scaler knows losses 0 to ",
                       losses() - 1, "; build it with LossScaler(model, scaling, {.losses = n})");
    return {loss, parameters_, scale_.rows(which, 1), round_,
            losses() == 1 ? TensorOf<PassFindings, Backend>() : findings_.rows(which, 1)};
  }

  /// Takes the loss scale off: from now on the gradients read as what they are. One read of them
  /// finds whether all are finite, and their norm.
  /// @throws UsageError  this model's gradients were unscaled or applied since the last update(),
  ///                     or another scaler has scaled them
  template <class S>
  Gradients<Unscaled, S> unscale(Gradients<Scaled, S>&& gradients) {
    const scale::Part part = scale::part_of(gradients);
    stages_.require_not_unscaled(part);
    require_own(gradients.store()->gradient_source().scale);
    observe(gradients);
    stages_.set_unscaled(part);
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
    const scale::Part part = scale::part_of(gradients);
    stages_.require_unscaled(part, !is_enabled());
    // Again where transform() has changed them: what went bad since is caught.
    observe(gradients);
    stages_.set_unscaled(part);
    auto report = optimizer.step(std::move(gradients));
    stages_.set_stepped(part);
    return report;
  }
  template <class Optimizer, class S>
  StepReport<Backend> step(Optimizer& optimizer, Gradients<Scaled, S>&& gradients) {
    stages_.require_not_stepped(scale::part_of(gradients));
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

  /// Ends the round: a scale shrinks if gradients under it were not finite, and grows after
  /// growth_interval good rounds in a row.
  /// @throws UsageError  nothing was unscaled or applied since the last update()
  void update() {
    if (stages_.empty())
      fail<UsageError>("LossScaler: update() without a step since the last one; call ",
                       "step(optimizer, std::move(gradients)) first");
    Backend::once(scale::EndRound<Scaling>{scaling_, losses(), scale_.data(), trackers_.data(),
                                           skips_.data(), findings_.data()});
    begin_round();
  }
  /// Ends the round with scales that the caller chooses (torch's update(new_scale)), and forgets
  /// what it has shown; trackers stay. Does nothing where the scaler is disabled.
  /// @throws UsageError  a scale that these settings cannot have, named; nothing was changed
  void update(double new_scale) {
    if (!is_enabled()) return;
    scale::validate_scale(scaling_, "LossScaler::update", new_scale);
    scale::State next = state();
    for (auto& loss : next.losses) loss.scale = new_scale;
    set(next);
  }

  const Scaling& scaling() const { return scaling_; }
  /// Goes on under other settings; counts that they cannot have become the largest they can.
  /// @throws UsageError  a setting that cannot work, or the scale is not within the new [floor,
  ///                     ceiling]: named with its value; nothing was changed
  void set_scaling(const Scaling& scaling) {
    require_sound(scaling);
    scale::State next = state();
    if (scale::is_enabled(scaling) != is_enabled())
      fail<UsageError>("LossScaler: enabled cannot change to ", scale::is_enabled(scaling),
                       " within a run; build another scaler");
    if constexpr (std::same_as<Scaling, DynamicLossScaling>)
      for (auto& [of_loss, trackers] : next.losses)
        trackers = {std::min(trackers.growth_tracker, scaling.growth_interval - 1),
                    std::min(trackers.overflows_tolerated, scaling.hysteresis - 1)};
    load(scaling, next);
    scaling_ = scaling;
  }
  /// Whether the scale is other than 1 by these settings.
  bool is_enabled() const { return scale::is_enabled(scaling_); }
  /// How many losses have a scale of their own; 1 where they share it.
  Index losses() const { return scale_.size(); }
  const Parameters<Setup>& parameters() const { return parameters_; }

  /// The scale of the next loss. Waits for the rounds before.
  double current_scale(Index which = 0) const {
    return state().losses.at(static_cast<std::size_t>(which)).scale;
  }
  /// The skipped rounds in a row. Waits for the rounds before.
  scale::Skips skips() const {
    scale::Skips skips;
    Backend::download(skips_.data(), std::span<scale::Skips>(&skips, 1));
    return skips;
  }
  /// Lets the count of skips that no lower scale could mend begin again. Waits for nothing.
  void restart_skip_count() { Backend::once(scale::RestartSkipCount{skips_.data()}); }
  /// Sends that count to the host, as it is after the rounds before. Waits for nothing.
  void send_skip_count(const Mailbox& to) const {
    Backend::once(to.delivery(&skips_.data()->unmendable_in_row));
  }

  /// All that training goes on from, as the last update() left it. Waits for it.
  scale::State state() const {
    const std::vector<double> scales = downloaded(scale_);
    const std::vector<scale::Trackers> trackers = downloaded(trackers_);
    scale::State state;
    state.enabled = is_enabled();
    state.losses.clear();
    for (std::size_t i = 0; i < scales.size(); ++i)
      state.losses.push_back({scales[i], trackers[i]});
    state.skips = skips();
    return state;
  }
  /// Goes on from a saved state. A scaler that is disabled keeps its scale of 1.
  /// @throws UsageError  a value that these settings cannot have, a state of another version or
  ///                     number of losses, or the middle of a round; nothing was changed
  void load_state(const scale::State& state) { load(scaling_, state); }
  /// Calls visitor(name, tensor) for what a checkpoint must hold, in plain numbers. What the
  /// visitor writes is taken as load_state() takes it. Waits.
  /// @throws UsageError  as load_state(); also in the middle of a round, which would not be saved
  template <class Visitor>
  void visit_state(Visitor&& visitor) {
    require_between_rounds("visit_state");
    const scale::State before = state();
    scale::State after = before;
    scale::visit_numbers(after, [&]<class T>(const char* name, std::vector<T>& numbers) {
      TensorOf<T, Backend> tensor(Shape{static_cast<Index>(numbers.size())});
      Backend::upload(std::span<const T>(numbers), tensor.data());
      visitor(std::string(name), tensor);
      numbers = downloaded(tensor);
    });
    if (after != before) load_state(after);
  }

 private:
  LossScaler(Index losses, const Parameters<Setup>& parameters, const Scaling& scaling)
      : parameters_(parameters), scaling_(scaling) {
    require_sound(scaling);
    scale::require(losses >= 1, "LossScaler", "losses", losses, "at least 1");
    scale_ = TensorOf<double, Backend>(Shape{losses});
    trackers_ = TensorOf<scale::Trackers, Backend>(Shape{losses});
    skips_ = TensorOf<scale::Skips, Backend>(Shape{1});
    findings_ = TensorOf<PassFindings, Backend>(Shape{losses == 1 ? 1 : losses + 1});
    set(fresh());
  }

  static void require_sound(const Scaling& scaling) {
    scale::validate(scaling);
    if (!scale::is_enabled(scaling) && !autograd::may_go_unscaled<Setup>)
      fail<PrecisionError>(
          "LossScaler: enabled = false leaves float16 gradients unscaled, and small ones flush to ",
          "zero; keep it enabled, train under Fp32 or MixedBf16, or say AllowUnscaledFloat16 in ",
          "the policy");
  }
  void require_between_rounds(const char* what) const {
    if (!stages_.empty())
      fail<UsageError>("LossScaler: ", what, "() in the middle of a round; call update() first");
  }
  /// @throws UsageError  gradients carry a scale that is not one of this scaler's
  void require_own(const double* source) const {
    const std::less<const double*> before;
    const double* const first = scale_.data();
    if (source != nullptr && (before(source, first) || !before(source, first + losses())))
      fail<UsageError>("LossScaler: another scaler has scaled these gradients; unscale them with ",
                       "the one whose scale() their loss went through");
  }
  /// Where there are several, what all losses' gradients together show stands behind the losses'.
  template <class State, class S>
  void observe(Gradients<State, S>& gradients) {
    gradients.check();
    Backend::once(scale::Observe{gradients.state(), findings_.data() + (findings_.size() - 1)});
  }
  void begin_round() {
    stages_.begin_round();
    ++round_;
  }

  scale::State fresh() const {
    scale::State state;
    state.losses.assign(static_cast<std::size_t>(losses()), {scale::initial_scale(scaling_), {}});
    return state;
  }
  void load(const Scaling& scaling, const scale::State& state) {
    scale::validate(scaling, static_cast<std::size_t>(losses()), state);
    require_between_rounds("load_state");
    scale::State next = state;
    if (!is_enabled()) next.losses = fresh().losses;
    set(next);
  }
  void set(const scale::State& state) {
    std::vector<double> scales;
    std::vector<scale::Trackers> trackers;
    for (const auto& loss : state.losses) {
      scales.push_back(loss.scale);
      trackers.push_back(loss.trackers);
    }
    const std::vector<PassFindings> nothing(static_cast<std::size_t>(findings_.size()));
    upload(scales, scale_);
    upload(trackers, trackers_);
    upload(std::vector<scale::Skips>{state.skips}, skips_);
    upload(nothing, findings_);
    begin_round();
  }

  template <class T>
  static void upload(const std::vector<T>& from, TensorOf<T, Backend>& to) {
    Backend::upload(std::span<const T>(from), to.data());
  }
  template <class T>
  static std::vector<T> downloaded(const TensorOf<T, Backend>& from) {
    std::vector<T> values(static_cast<std::size_t>(from.size()));
    Backend::download(from.data(), std::span<T>(values));
    return values;
  }

  Parameters<Setup> parameters_;
  Scaling scaling_;
  TensorOf<double, Backend> scale_;              ///< [losses]
  TensorOf<scale::Trackers, Backend> trackers_;  ///< [losses]
  TensorOf<scale::Skips, Backend> skips_;        ///< [1]
  TensorOf<PassFindings, Backend> findings_;     ///< of this round; see EndRound
  scale::RoundStages stages_;
  std::uint64_t round_ = 0;
};

template <class Setup, class Scaling>
LossScaler(const Parameters<Setup>&, const Scaling&) -> LossScaler<Scaling, Setup>;
template <class Setup, class Scaling>
LossScaler(const Parameters<Setup>&, const Scaling&, const ScalePerLoss&)
    -> LossScaler<Scaling, Setup>;
template <class Setup>
LossScaler(const Parameters<Setup>&) -> LossScaler<typename Setup::LossScaling, Setup>;
template <class Model, class Scaling>
LossScaler(Model&, const Scaling&)
    -> LossScaler<Scaling, typename decltype(std::declval<Model&>().parameters())::Setup>;
template <class Model, class Scaling>
LossScaler(Model&, const Scaling&, const ScalePerLoss&)
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
