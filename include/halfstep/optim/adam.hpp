#pragma once

#include <halfstep/optim/rule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// What Adam's formula needs in step t: w shrinks to `keep` w, then
/// m = beta1 m + (1 - beta1) d, v = beta2 v + (1 - beta2) d^2, d = g + l2 w, and
/// w -= rate / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon).
struct AdamCoefficients {
  double keep, l2, beta1, fresh1, beta2, fresh2, rate, unbias2, epsilon;
};

HALFSTEP_HOST_DEVICE inline AdamCoefficients adam_coefficients(std::int64_t step, double rate,
                                                               double beta1, double beta2,
                                                               double epsilon) {
  const double t = static_cast<double>(step);
  return {1.0,
          0.0,
          beta1,
          1.0 - beta1,
          beta2,
          1.0 - beta2,
          rate / (1.0 - std::pow(beta1, t)),
          1.0 / std::sqrt(1.0 - std::pow(beta2, t)),
          epsilon};
}

template <Number N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void adam_moments(const AdamCoefficients& c, const N& d, N& w,
                                                       N& m, N& v) {
  m = fma(constant<N>(c.beta1), m, constant<N>(c.fresh1) * d);
  v = fma(constant<N>(c.beta2), v, constant<N>(c.fresh2) * (d * d));
  const N root = fma(sqrt(v), constant<N>(c.unbias2), constant<N>(c.epsilon));
  w = w - constant<N>(c.rate) * (m / root);
}

inline void require_adam_settings(std::string_view name, double beta1, double beta2, double epsilon,
                                  double weight_decay) {
  require_decay_rate(name, "beta1", beta1);
  require_decay_rate(name, "beta2", beta2);
  require_not_negative(name, "epsilon", epsilon);
  require_not_negative(name, "weight_decay", weight_decay);
}

/// Adam (Kingma, Ba, arXiv 1412.6980); its decay is an L2 penalty: d = g + weight_decay w.
struct Adam {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;

  static constexpr std::string_view name = "Adam";
  static constexpr int moments = 2;
  using Coefficients = AdamCoefficients;

  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t step, double rate) const {
    Coefficients c = adam_coefficients(step, rate, beta1, beta2, epsilon);
    c.l2 = weight_decay;
    return c;
  }
  template <Number N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& g, N& w,
                                                          N& m, N& v) {
    adam_moments(c, fma(constant<N>(c.l2), w, g), w, m, v);
  }

  void validate() const { require_adam_settings(name, beta1, beta2, epsilon, weight_decay); }
};

}  // namespace halfstep
