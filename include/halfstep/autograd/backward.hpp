#pragma once

#include <halfstep/autograd/gradients.hpp>

#include <tuple>

namespace halfstep::inline HALFSTEP_ABI {

/// A loss together with the scale that its gradients will carry; `LossScaler::scale` makes it.
template <class S, class Setup>
struct ScaledLoss {
  Variable<S, typename Setup::Backend> loss;
  Parameters<Setup> parameters;
  /// Where the scale lies, on the device.
  TensorOf<double, typename Setup::Backend> scale;
};

namespace autograd {

/// Whether a Setup's gradients may be computed without a loss scale.
template <class Setup>
inline constexpr bool may_go_unscaled = !std::same_as<typename Setup::Gradient, float16> ||
                                        AllowsUnscaledFloat16<typename Setup::Precision>;

/// The gradient of a loss with respect to itself, times the loss scale.
template <class S>
struct Seed {
  const S* loss;
  const double* scale;  ///< a null pointer means 1
  S* gradient;
  HALFSTEP_HOST_DEVICE void operator()() const {
    *gradient = static_cast<S>(scale == nullptr ? 1.0 : *scale);
  }
};

/// What is known of the gradients when a backward pass has ended. A later pass keeps a loss that
/// was not finite, so that the step is skipped.
template <class S>
struct StateAfter {
  const S* loss;
  const double* scale;
  GradientState* state;
  bool first;
  HALFSTEP_HOST_DEVICE void operator()() const {
    if (first) *state = GradientState{};
    state->loss += static_cast<double>(*loss);
    state->scale = scale == nullptr ? 1.0 : *scale;
    state->clip_factor = 1.0;
  }
};

template <class S, class B>
void run_backward(const Variable<S, B>& loss, const double* scale) {
  static_assert(!numeric_traits<S>::is_16_bit,
                "halfstep: a loss is kept in FP32, for a 16-bit one cannot hold the loss scale; "
                "use a loss function, or cast<float>() before the last reduction");
  if (loss.size() != 1)
    fail<ShapeError>("backward: the loss has shape ", loss.shape(), "; reduce it to one number ",
                     "with mean() or sum()");
  if (!loss.slot())
    fail<UsageError>(
        "backward: the loss depends on nothing that wants a gradient; was it computed ",
        "under no_gradient, or detached?");
  recorded("backward", loss);
  TensorOf<S, B> seed(loss.shape());
  B::once(Seed<S>{loss.value().data(), scale, seed.data()});
  loss.slot()->give(seed);
  Backward::run(Handle<Node>(loss.slot().get()));
}

template <class B>
void start(ParameterStore<B>& store) {
  store.lay_out();
  if (store.gradients_held())
    fail<UsageError>("backward: this model's gradients are still held by a token; step the ",
                     "optimizer with it, pass it to backward to add to it, or let it go");
  store.for_each_segment([](auto& segment) {
    if (segment.frozen()) return;
    segment.allocate_gradients();
    segment.forget_gradients();
  });
}
template <class B>
void settle(ParameterStore<B>& store) {
  store.for_each_segment([](auto& segment) {
    if (segment.frozen()) return;
    segment.settle_gradients();
  });
}

/// Runs backward and says what the gradients are; no token is made yet.
template <class S, class Setup>
TensorOf<GradientState, typename Setup::Backend> gather(
    const Variable<S, typename Setup::Backend>& loss, const double* scale,
    const Parameters<Setup>& parameters) {
  using B = typename Setup::Backend;
  start(*parameters.store());
  run_backward(loss, scale);
  settle(*parameters.store());
  TensorOf<GradientState, B> state(Shape{1});
  B::once(StateAfter<S>{loss.value().data(), scale, state.data(), true});
  return state;
}

/// Runs backward once for several models; each gets a token with a state of its own.
template <class State, class S, class B, class... Setups>
std::tuple<Gradients<State, Setups>...> gather_all(const Variable<S, B>& loss, const double* scale,
                                                   const Parameters<Setups>&... parameters) {
  const void* const stores[] = {parameters.store().get()...};
  for (std::size_t i = 0; i < sizeof...(Setups); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (stores[i] == stores[j])
        fail<UsageError>("backward: the same model was handed over twice; there is one token of ",
                         "gradients per model");
  (start(*parameters.store()), ...);
  run_backward(loss, scale);
  (settle(*parameters.store()), ...);
  const auto state = [&] {
    TensorOf<GradientState, B> made(Shape{1});
    B::once(StateAfter<S>{loss.value().data(), scale, made.data(), true});
    return made;
  };
  return {Gradients<State, Setups>(parameters.store(), state())...};
}

/// Adds another loss's gradients to those of a token.
template <class State, class S, class Setup>
void gather_more(const Variable<S, typename Setup::Backend>& loss, const double* scale,
                 Gradients<State, Setup>& gradients) {
  using B = typename Setup::Backend;
  auto& store = *gradients.store();
  // FP32 sums are begun with what the arenas hold; then each pass writes them anew and is added.
  const auto sums = [](auto& segment) {
    return std::same_as<typename Setup::GradientAccumulator, float> && segment.has_16_bits();
  };
  store.for_each_segment([&](auto& segment) {
    if (segment.frozen() || !sums(segment)) return;
    if (!gradients.accumulated()) segment.accumulate(true);
    segment.forget_gradients();
  });
  gradients.set_accumulated();  // first: where backward throws, the sums so far are what counts
  run_backward(loss, scale);
  settle(store);
  store.for_each_segment([&](auto& segment) {
    if (!segment.frozen() && sums(segment)) segment.accumulate(false);
  });
  B::once(StateAfter<S>{loss.value().data(), scale, gradients.state(), false});
}

}  // namespace autograd

/// Computes the gradients of every leaf that the loss depends on; `leaf.gradient()` has them.
/// @throws UsageError  the loss depends on a model's parameters: pass those too
template <class S, class B>
void backward(const Variable<S, B>& loss) {
  autograd::run_backward(loss, nullptr);
}

/// Computes the gradients of a model's parameters, unscaled. A gradient that nobody wrote is zero.
/// @throws UsageError  a token of this model's gradients is still held
template <class S, class Setup>
Gradients<Unscaled, Setup> backward(const Variable<S, typename Setup::Backend>& loss,
                                    const Parameters<Setup>& parameters) {
  static_assert(autograd::may_go_unscaled<Setup>,
                "halfstep: float16 gradients need loss scaling, or small ones flush to zero; call "
                "backward(scaler.scale(loss)), or say AllowUnscaledFloat16 in the policy");
  auto state = autograd::gather(loss, nullptr, parameters);
  return {parameters.store(), std::move(state)};
}

/// Computes the gradients of a model's parameters, times the loss scale.
/// @throws UsageError  a token of this model's gradients is still held
template <class S, class Setup>
Gradients<Scaled, Setup> backward(const ScaledLoss<S, Setup>& scaled) {
  auto state = autograd::gather(scaled.loss, scaled.scale.data(), scaled.parameters);
  return {scaled.parameters.store(), std::move(state)};
}

/// Computes the gradients of several models under one loss, and returns a tuple with a token each:
///
///   auto [of_a, of_b] = backward(scaler.scale(loss), a.parameters(), b.parameters());
///
/// @throws UsageError  a token of one of them is still held, or a model was handed over twice
template <class S, class B, class First, class Second, class... More>
auto backward(const Variable<S, B>& loss, const Parameters<First>& first,
              const Parameters<Second>& second, const Parameters<More>&... more) {
  static_assert(autograd::may_go_unscaled<First> && autograd::may_go_unscaled<Second> &&
                    (autograd::may_go_unscaled<More> && ...),
                "halfstep: float16 gradients need loss scaling, or small ones flush to zero; call "
                "backward(scaler.scale(loss), ...), or say AllowUnscaledFloat16 in the policy");
  return autograd::gather_all<Unscaled>(loss, nullptr, first, second, more...);
}
template <class S, class Setup, class First, class Second, class... More>
auto backward(const ScaledLoss<S, Setup>& scaled, const Parameters<First>& first,
              const Parameters<Second>& second, const Parameters<More>&... more) {
  return autograd::gather_all<Scaled>(scaled.loss, scaled.scale.data(), first, second, more...);
}

/// Adds the gradients of another loss or micro-batch, computed at the same scale: in FP32 where the
/// policy's GradientAccumulator says so. The loss in the report is the sum.
template <class S, class Setup>
Gradients<Scaled, Setup> backward(const ScaledLoss<S, Setup>& scaled,
                                  Gradients<Scaled, Setup>&& gradients) {
  autograd::gather_more(scaled.loss, scaled.scale.data(), gradients);
  return std::move(gradients);
}
template <class S, class Setup>
Gradients<Unscaled, Setup> backward(const Variable<S, typename Setup::Backend>& loss,
                                    Gradients<Unscaled, Setup>&& gradients) {
  autograd::gather_more(loss, nullptr, gradients);
  return std::move(gradients);
}

}  // namespace halfstep
