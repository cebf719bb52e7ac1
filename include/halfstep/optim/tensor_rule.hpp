#pragma once

#include <halfstep/ops/backend.hpp>
#include <halfstep/optim/update_pass.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// A rule that must see a whole tensor before any of its weights moves (its norm, the means of its
/// rows): it first writes what is to be added to each weight, in FP32, and a wrapper then adds it
/// as it adds any update. Besides what every rule has:
///
///   static constexpr bool per_tensor = true;
///   Index state_size(const Shape&) const         numbers kept for a parameter, zero at first
///   void direction<B>(const Step&, const Shape&, const G* gradient, const F* weight,
///                     M* state, F* update) const
///       Step is StepContext<R>; asks the backend B for what changes the state and writes the
///       update. Gradients are stored (StepPass unscales them); a skipped step must leave the state
///       as it is (StepPass skips).
template <class R>
concept TensorRule = requires(const R& rule, const Shape& shape) {
  requires R::per_tensor;
  { rule.state_size(shape) } -> std::convertible_to<Index>;
};

/// An elementwise pass of a TensorRule's step: F(coefficients, multiplier, numbers...), where
/// `multiplier` unscales and clips stored gradients. A skipped step runs none.
template <class R, class F>
struct StepPass {
  StepContext<R> context;
  F f;

  struct Ready {
    CoefficientsOf<R> coefficients;
    double multiplier;
    bool skipped;
    F f;

    HALFSTEP_HOST_DEVICE bool skip() const { return skipped; }
    template <class... N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N&... numbers) const {
      f(coefficients, multiplier, numbers...);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const {
    return {*context.coefficients, context.gradients->multiplier(),
            context.gradients->skip_reason() != SkipReason::none, f};
  }
};
template <class R, class F>
StepPass<R, F> step_pass(const StepContext<R>& context, const F& f) {
  return {context, f};
}

/// w += update: the rule that a wrapper runs when a TensorRule has written its updates.
struct AddUpdate {
  double learning_rate = 1.0;
  static constexpr int moments = 0;
  static constexpr bool takes_updates = true;
  struct Coefficients {};

  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t, double) const { return {}; }
  template <class N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients&, const N& g, N& w) {
    w = w + g;
  }
};

}  // namespace halfstep
