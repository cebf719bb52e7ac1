#pragma once

#include <halfstep/numeric/packet_math.hpp>
#include <halfstep/ops/formula.hpp>

namespace halfstep::inline HALFSTEP_ABI::formulas {

// A loss of one element: operator()(x, target), and `slope`, its derivative with respect to x.

/// (x - t)^2.
struct SquaredError {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x, const N& target) const {
    return (x - target) * (x - target);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N slope(const N& x, const N& target) const {
    return constant<N>(2.0) * (x - target);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N target_slope(const N& x, const N& target) const {
    return -slope(x, target);
  }
};

/// With d = x - t: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2.
struct SmoothAbsoluteError {
  double beta;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x, const N& target) const {
    const N distance = abs(x - target);
    // beta = 0 selects the second form everywhere; the division is then by 1.
    const N squared = constant<N>(beta > 0.0 ? 0.5 / beta : 1.0) * distance * distance;
    return select(distance < constant<N>(beta), squared, distance - constant<N>(0.5 * beta));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N slope(const N& x, const N& target) const {
    const N difference = x - target;
    const N zero = constant<N>(0.0), one = constant<N>(1.0);
    const N sign = select(difference > zero, one, select(difference < zero, -one, zero));
    const N inside = constant<N>(beta > 0.0 ? 1.0 / beta : 1.0) * difference;
    return select(abs(difference) < constant<N>(beta), inside, sign);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N target_slope(const N& x, const N& target) const {
    return -slope(x, target);
  }
};

/// -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)), without overflow.
struct BinaryCrossEntropy {
  static constexpr bool compute_bound = true;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x, const N& target) const {
    return max(x, constant<N>(0.0)) - x * target + log1p(exp(-abs(x)));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N slope(const N& x, const N& target) const {
    return sigmoid(x) - target;
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N target_slope(const N& x, const N&) const {
    return -x;
  }
};

/// The gradient of scale * sum of losses: upstream[0] is read where the pass runs, so that the host
/// does not wait for it.
template <class Loss, class Scalar, bool of_target>
struct LossGradient {
  Loss loss;
  const Scalar* upstream;
  double scale;

  struct Ready {
    Loss loss;
    Scalar factor;
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& gradient, const N& x,
                                                         const N& target) const {
      if constexpr (of_target) {
        gradient = N(factor) * loss.target_slope(x, target);
      } else {
        gradient = N(factor) * loss.slope(x, target);
      }
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const {
    return {loss, static_cast<Scalar>(scale * static_cast<double>(*upstream))};
  }
};

/// scale * upstream[0] everywhere: the gradient of a sum or a mean.
template <class Scalar>
struct FillWith {
  const Scalar* upstream;
  double scale;

  struct Ready {
    Scalar value;
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& gradient) const {
      gradient = N(value);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const {
    return {static_cast<Scalar>(scale * static_cast<double>(*upstream))};
  }
};

}  // namespace halfstep
