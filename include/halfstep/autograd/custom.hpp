#pragma once

#include <halfstep/autograd/elementwise.hpp>

#include <array>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// A user's functor and its derivative as a formula of one number.
template <class F, class Derivative>
struct OwnFormula {
  static constexpr Saves saves = Saves::input;
  F f;
  Derivative derivative;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return f(x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    return g * derivative(x);
  }
};

/// A user's functor and its two derivatives as a formula of two numbers.
template <class F, class Derivatives>
struct OwnBinaryFormula {
  F f;
  Derivatives derivatives;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return f(a, b);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_a(const N& g, const N& a, const N& b) const {
    const std::array<N, 2> slopes = derivatives(a, b);
    return g * slopes[0];
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_b(const N& g, const N& a, const N& b) const {
    const std::array<N, 2> slopes = derivatives(a, b);
    return g * slopes[1];
  }
};

/// Gives what a custom backward returned to the inputs that want it.
template <class S, class B>
void give_custom(const char* name, Slot<S, B>* slot, const Variable<S, B>& gradient) {
  if (slot == nullptr || gradient.value().empty()) return;
  if (gradient.size() != slot->shape().size())
    fail<ShapeError>(name, ": its backward gave a gradient of shape ", gradient.shape(),
                     " for an input of shape ", slot->shape());
  slot->give(gradient.value());
}

}  // namespace autograd

/// y = f(x), element by element, for a user's own f.
///
/// @param f           `N operator()(const N& x)` for any number N: float, double or a packet of
///                    floats (a generic lambda, or a functor with a call operator template; the
///                    functions of numeric/packet_math.hpp and `select` take all of them)
/// @param derivative  dy/dx of x, likewise
/// @numerics  in the compute type, one rounding at the store
template <class F, class Derivative, class S, class B>
Variable<S, B> elementwise(const F& f, const Derivative& derivative, const Variable<S, B>& x) {
  return autograd::unary("elementwise", autograd::OwnFormula<F, Derivative>{f, derivative}, x);
}

/// y = f(a, b), element by element, with numpy's broadcasting; `derivatives(a, b)` returns
/// std::array<N, 2>{dy/da, dy/db}.
template <class F, class Derivatives, class S, class B>
Variable<S, B> elementwise(const F& f, const Derivatives& derivatives, const Variable<S, B>& a,
                           const Variable<S, B>& b) {
  return autograd::binary("elementwise", autograd::OwnBinaryFormula<F, Derivatives>{f, derivatives},
                          a, b);
}
template <class F, class Derivatives, class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto elementwise(const F&, const Derivatives&, const Variable<S1, B1>& a,
                 const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}

/// A user's own operation. What runs in `forward` and `backward` is not recorded, so both may use
/// any operation here, or the tensors themselves (`x.value()`).
///
/// @param name      for messages; a string literal
/// @param forward   `Variable forward(inputs...)`
/// @param backward  `backward(upstream, inputs...)` returns the gradient of the input, or a
///                  std::tuple of one for each; an empty Variable means none
/// @throws ShapeError  a gradient is not shaped like its input (when backward runs)
template <class Forward, class BackwardFunction, class... S, class B>
auto custom(const char* name, const Forward& forward, const BackwardFunction& backward,
            const Variable<S, B>&... inputs) {
  autograd::require_elements(name, inputs...);
  const bool wanted = autograd::recorded(name, inputs...);
  const auto run = [&] {
    const no_gradient pause;
    const NameScope inside(name);
    return forward(Variable<S, B>(inputs.value())...);
  };
  using Result = decltype(run());
  using T = typename StoredIn<Result>::type;
  Result result = run();
  if (!wanted) return autograd::unrecorded<B, T>(name, result.value(), inputs...);
  return autograd::record<B, T>(
      name, result.value(),
      [name, backward, values = std::make_tuple(Variable<S, B>(inputs.value())...)](
          const TensorOf<T, B>& g, autograd::Slot<S, B>*... slots) {
        const no_gradient pause;
        const NameScope inside(name);
        auto gradients =
            std::apply([&](const auto&... x) { return backward(Variable<T, B>(g), x...); }, values);
        if constexpr (is_variable<decltype(gradients)>) {
          static_assert(sizeof...(S) == 1,
                        "halfstep: the backward of a custom operation of several inputs returns a "
                        "std::tuple with a gradient for each");
          (autograd::give_custom<S, B>(name, slots, gradients), ...);
        } else {
          static_assert(std::tuple_size_v<decltype(gradients)> == sizeof...(S),
                        "halfstep: the backward of a custom operation returns a gradient for each "
                        "input (an empty Variable where there is none)");
          std::apply(
              [&](const auto&... each) { (autograd::give_custom<S, B>(name, slots, each), ...); },
              gradients);
        }
      },
      inputs...);
}

}  // namespace halfstep
