#pragma once

#include <halfstep/optim/rule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// w -= rate (sign(beta1 m + (1 - beta1) g) + weight_decay w);  m = beta2 m + (1 - beta2) g.
/// (Chen et al., "Symbolic Discovery of Optimization Algorithms", arXiv 2302.06675)
struct Lion {
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0.0;

  static constexpr std::string_view name = "Lion";
  static constexpr int moments = 1;

  struct Coefficients {
    double rate, keep, beta1, fresh1, beta2, fresh2;
  };
  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t, double rate) const {
    return {rate, 1.0 - rate * weight_decay, beta1, 1.0 - beta1, beta2, 1.0 - beta2};
  }
  template <Number N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& g, N& w,
                                                          N& m) {
    const N direction = fma(constant<N>(c.beta1), m, constant<N>(c.fresh1) * g);
    const N zero = N(0.0f);
    const N rate = constant<N>(c.rate);
    const N move = select(direction > zero, rate, select(direction < zero, zero - rate, zero));
    w = fma(constant<N>(c.keep), w, zero - move);
    m = fma(constant<N>(c.beta2), m, constant<N>(c.fresh2) * g);
  }

  void validate() const {
    require_decay_rate(name, "beta1", beta1);
    require_decay_rate(name, "beta2", beta2);
    require_not_negative(name, "weight_decay", weight_decay);
  }
};

}  // namespace halfstep
