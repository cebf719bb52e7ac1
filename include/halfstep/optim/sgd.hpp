#pragma once

#include <halfstep/optim/rule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// d = g + weight_decay w;  m = momentum m + (1 - dampening) d, m = d in the first step;
/// w -= rate (d + momentum m) with Nesterov's momentum, else w -= rate m.     (torch.optim.SGD)
struct SGD {
  double learning_rate = 1e-3;
  double momentum = 0.0;
  double dampening = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;

  static constexpr std::string_view name = "SGD";
  static constexpr int moments = 1;
  static constexpr int fewest_moments = 0;
  constexpr int moments_kept() const { return momentum == 0.0 ? 0 : 1; }

  struct Coefficients {
    double rate, decay, momentum, fresh, of_gradient, of_moment;
  };
  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t step, double rate) const {
    const bool damped = momentum != 0.0 && step > 1;
    return {rate,
            weight_decay,
            momentum,
            damped ? 1.0 - dampening : 1.0,
            nesterov ? 1.0 : 0.0,
            nesterov ? momentum : 1.0};
  }
  template <Number N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& g, N& w,
                                                          N& m) {
    const N d = fma(constant<N>(c.decay), w, g);
    m = fma(constant<N>(c.momentum), m, constant<N>(c.fresh) * d);
    w = w - constant<N>(c.rate) * fma(constant<N>(c.of_gradient), d, constant<N>(c.of_moment) * m);
  }

  void validate() const {
    require_not_negative(name, "momentum", momentum);
    require_setting(std::isfinite(dampening), name, "dampening", dampening, "finite");
    require_not_negative(name, "weight_decay", weight_decay);
    if (nesterov) {
      require_setting(momentum > 0.0, name, "momentum", momentum, "positive for nesterov");
      require_setting(dampening == 0.0, name, "dampening", dampening, "0 for nesterov");
    }
  }
};

}  // namespace halfstep
