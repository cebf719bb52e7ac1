#pragma once

#include <halfstep/ops/formulas_exponential.hpp>
#include <halfstep/optim/adam.hpp>
#include <halfstep/optim/tensor_rule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// w -= rate |w| / |u| u with Adam's direction and decoupled decay, u = m^ / (sqrt(v^) + epsilon) +
/// weight_decay w, and norms over each parameter; the ratio is 1 where a norm is 0. For batches of
/// tens of thousands. (You et al., arXiv 1904.00962, algorithm 2, with phi the identity)
struct LAMB {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  double weight_decay = 1e-2;

  static constexpr std::string_view name = "LAMB";
  static constexpr bool per_tensor = true;

  struct Coefficients {
    AdamCoefficients adam;
    double decay, rate;
  };
  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t step, double rate) const {
    return {adam_coefficients(step, 1.0, beta1, beta2, epsilon), weight_decay, rate};
  }
  Index state_size(const Shape& shape) const { return 2 * shape.size(); }

  /// Moves the moments; update = u.
  struct Direction {
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const Coefficients& c, double multiplier,
                                                         const N& g, const N& w, N& m, N& v,
                                                         N& update) const {
      N move = N(0.0f);
      adam_moments(c.adam, g * constant<N>(multiplier), move, m, v);
      update = fma(constant<N>(c.decay), w, N(0.0f) - move);
    }
  };
  /// update = -rate |w| / |u| u.
  struct Trust {
    const double* squares;  ///< of w and of u
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const Coefficients& c, double,
                                                         N& update) const {
      const double ratio =
          squares[0] > 0.0 && squares[1] > 0.0 ? std::sqrt(squares[0] / squares[1]) : 1.0;
      update = update * constant<N>(-c.rate * ratio);
    }
  };

  template <class B, class Step, class G, class F, class M>
  void direction(const Step& step, const Shape& shape, const G* gradient, const F* weight, M* state,
                 F* update) const {
    const Index n = shape.size();
    B::for_each_element(n, step_pass(step, Direction{}), In<G>{gradient}, In<F>{weight},
                        InOut<M>{state}, InOut<M>{state + n}, Out<F>{update});
    TensorOf<double, B> squares(Shape{2});
    const ReduceProblem all{.reduced = n};
    B::template reduce<Reduction::sum>(all, formulas::Square{}, squares.data(), weight);
    B::template reduce<Reduction::sum>(all, formulas::Square{}, squares.data() + 1,
                                       static_cast<const F*>(update));
    B::for_each_element(n, step_pass(step, Trust{squares.data()}), InOut<F>{update});
  }

  void validate() const { require_adam_settings(name, beta1, beta2, epsilon, weight_decay); }
};

}  // namespace halfstep
