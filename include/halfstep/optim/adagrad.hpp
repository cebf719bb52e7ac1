#pragma once

#include <halfstep/optim/rule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// d = g + weight_decay w;  s += d^2, from initial_sum;  w -= rate_t d / (sqrt(s) + epsilon) with
/// rate_t = rate / (1 + (t - 1) rate_decay).                                 (torch.optim.Adagrad)
struct Adagrad {
  double learning_rate = 1e-2;
  double rate_decay = 0.0;
  double weight_decay = 0.0;
  double initial_sum = 0.0;
  double epsilon = 1e-10;

  static constexpr std::string_view name = "Adagrad";
  static constexpr int moments = 1;

  struct Coefficients {
    double rate, decay, initial, epsilon;
  };
  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t step, double rate) const {
    return {rate / (1.0 + static_cast<double>(step - 1) * rate_decay), weight_decay,
            step <= 1 ? initial_sum : 0.0, epsilon};
  }
  template <Number N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE void update(const Coefficients& c, const N& g, N& w,
                                                          N& s) {
    const N d = fma(constant<N>(c.decay), w, g);
    s = fma(d, d, s + constant<N>(c.initial));
    w = w - constant<N>(c.rate) * (d / (sqrt(s) + constant<N>(c.epsilon)));
  }

  void validate() const {
    require_not_negative(name, "rate_decay", rate_decay);
    require_not_negative(name, "weight_decay", weight_decay);
    require_not_negative(name, "initial_sum", initial_sum);
    require_not_negative(name, "epsilon", epsilon);
  }
};

}  // namespace halfstep
