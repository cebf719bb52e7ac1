#pragma once

#include <halfstep/autograd/gradients.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// clip_factor *= min(1, max_norm / (norm + 1e-6)), with the norm as it is clipped so far.
struct ClipNorm {
  GradientState* state;
  double max_norm;

  HALFSTEP_HOST_DEVICE void operator()() const {
    const double factor = max_norm / (state->norm * state->clip_factor + 1e-6);
    // A norm that is NaN clips nothing: its step is skipped.
    if (factor < 1.0) state->clip_factor *= factor;
  }
};

/// Scales all gradients of a model so that their 2-norm is at most max_norm, by
/// min(1, max_norm / (norm + 1e-6)) (Pascanu et al., arXiv 1211.5063; torch's clip_grad_norm_). The
/// factor is multiplied in by the optimizer's pass: nothing is rounded, and nothing waits.
///
/// @throws UsageError  max_norm is not positive, or the token was moved from
template <class Setup>
void clip_norm(Gradients<Unscaled, Setup>& gradients, double max_norm) {
  if (!(max_norm > 0.0)) fail<UsageError>("clip_norm: max_norm = ", max_norm, " is not positive");
  gradients.check();
  Setup::Backend::once(ClipNorm{gradients.state(), max_norm});
}
template <class Setup>
void clip_norm(Gradients<Unscaled, Setup>&&, double) {
  static_assert(sizeof(Setup) == 0,
                "halfstep: clip_norm changes gradients that you keep; give them a name, and step "
                "with them afterwards");
}
template <class Setup>
void clip_norm(const Gradients<Scaled, Setup>&, double) {
  static_assert(sizeof(Setup) == 0,
                "halfstep: these gradients still carry the loss scale, and their norm means "
                "nothing; unscale them first: scaler.unscale(std::move(gradients))");
}

}  // namespace halfstep
