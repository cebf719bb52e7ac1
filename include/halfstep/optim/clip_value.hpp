#pragma once

#include <halfstep/autograd/gradients.hpp>
#include <halfstep/numeric/packet.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// Clamps what is stored to the scaled limit: values within it keep their bits.
struct ClipValue {
  const GradientState* state;
  double limit;

  struct Ready {
    float limit;
    template <Number N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& x) const {
      // An inf stays an inf, so that the step is skipped.
      const N clamped = min(max(x, N(-limit)), N(limit));
      x = select(is_finite(x), clamped, x);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const {
    return {static_cast<float>(limit / state->multiplier())};
  }
};

/// Clamps every gradient to [-limit, limit] (torch's clip_grad_value_). Gradients that are inf or
/// NaN stay so: their step is skipped.
///
/// @throws UsageError  the limit is not positive, or the token was moved from
/// @numerics  values within the limit keep their bits; others become the limit, rounded once to the
///            type that gradients are stored in
template <class Setup>
void clip_value(Gradients<Unscaled, Setup>& gradients, double limit) {
  if (!(limit > 0.0)) fail<UsageError>("clip_value: limit = ", limit, " is not positive");
  gradients.change_stored(ClipValue{gradients.state(), limit});
}
template <class Setup>
void clip_value(const Gradients<Scaled, Setup>&, double) {
  static_assert(sizeof(Setup) == 0,
                "halfstep: these gradients still carry the loss scale; unscale them first: "
                "scaler.unscale(std::move(gradients))");
}

}  // namespace halfstep
