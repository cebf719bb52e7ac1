#pragma once

#include <halfstep/optim/rule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// d = g + weight_decay w;  v = alpha v + (1 - alpha) d^2;  m = momentum m + d / (sqrt(v) +
/// epsilon); w -= rate m. (torch.optim.RMSprop)
struct RMSprop {
  double learning_rate = 1e-2;
  double alpha = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  double momentum = 0.0;

  static constexpr std::string_view name = "RMSprop";
  static constexpr int moments = 2;
  static constexpr int fewest_moments = 1;
  constexpr int moments_kept() const { return momentum == 0.0 ? 1 : 2; }

  struct Coefficients {
    double rate, alpha, fresh, epsilon, decay, momentum;
  };
  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t, double rate) const {
    return {rate, alpha, 1.0 - alpha, epsilon, weight_decay, momentum};
  }
  template <Number N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& g, N& w,
                                                          N& v, N& m) {
    const N d = fma(constant<N>(c.decay), w, g);
    v = fma(constant<N>(c.alpha), v, constant<N>(c.fresh) * (d * d));
    m = fma(constant<N>(c.momentum), m, d / (sqrt(v) + constant<N>(c.epsilon)));
    w = w - constant<N>(c.rate) * m;
  }

  void validate() const {
    require_decay_rate(name, "alpha", alpha);
    require_not_negative(name, "epsilon", epsilon);
    require_not_negative(name, "weight_decay", weight_decay);
    require_not_negative(name, "momentum", momentum);
  }
};

}  // namespace halfstep
