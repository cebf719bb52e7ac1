#pragma once

#include <halfstep/optim/adam.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// Adam with decoupled decay (Loshchilov, Hutter, arXiv 1711.05101): w shrinks by
/// rate weight_decay w first, and the moments do not see it.
struct AdamW {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;

  static constexpr std::string_view name = "AdamW";
  static constexpr int moments = 2;
  using Coefficients = AdamCoefficients;

  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t step, double rate) const {
    Coefficients c = adam_coefficients(step, rate, beta1, beta2, epsilon);
    c.keep = 1.0 - rate * weight_decay;
    return c;
  }
  template <Number N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& g, N& w,
                                                          N& m, N& v) {
    w = w * constant<N>(c.keep);
    adam_moments(c, g, w, m, v);
  }

  void validate() const { require_adam_settings(name, beta1, beta2, epsilon, weight_decay); }
};

}  // namespace halfstep
