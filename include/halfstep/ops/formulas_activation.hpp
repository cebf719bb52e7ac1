#pragma once

#include <halfstep/numeric/packet_math.hpp>
#include <halfstep/ops/formula.hpp>

namespace halfstep::inline HALFSTEP_ABI::formulas {

/// max(x, 0); NaN stays NaN.
struct Relu {
  static constexpr Saves saves = Saves::output;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return max(x, constant<N>(0.0));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& y) const {
    return select(y > constant<N>(0.0), g, constant<N>(0.0));
  }
};

/// x where x > 0, slope x elsewhere.
struct LeakyRelu {
  static constexpr Saves saves = Saves::input;
  double slope;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return select(x > constant<N>(0.0), x, constant<N>(slope) * x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    return select(x > constant<N>(0.0), g, constant<N>(slope) * g);
  }
};

/// The hyperbolic tangent.
struct Tanh {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::output;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return tanh(x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& y) const {
    return g * (constant<N>(1.0) - y * y);
  }
};

/// 1 / (1 + exp(-x)).
struct Sigmoid {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::output;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return sigmoid(x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& y) const {
    return g * y * (constant<N>(1.0) - y);
  }
};

/// x sigmoid(x), also called swish.
struct Silu {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::input;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return x * sigmoid(x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    const N s = sigmoid(x);
    return g * (s + x * s * (constant<N>(1.0) - s));
  }
};

/// x / 2 (1 + erf(x / sqrt 2)).
struct GeluErf {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::input;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return constant<N>(0.5) * x * (constant<N>(1.0) + erf(constant<N>(0.70710678118654752440) * x));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    const N below =
        constant<N>(0.5) * (constant<N>(1.0) + erf(constant<N>(0.70710678118654752440) * x));
    const N density = constant<N>(0.39894228040143267794) * exp(constant<N>(-0.5) * x * x);
    return g * (below + x * density);
  }
};

/// x / 2 (1 + tanh u) = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::input;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return x * sigmoid(twice_u(x));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    const N s = sigmoid(twice_u(x));
    const N slope =
        constant<N>(1.5957691216057307117) * (constant<N>(1.0) + constant<N>(0.134145) * x * x);
    return g * (s + x * s * (constant<N>(1.0) - s) * slope);
  }

 private:
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE static N twice_u(const N& x) {
    return constant<N>(1.5957691216057307117) * (x + constant<N>(0.044715) * x * x * x);
  }
};

/// log(1 + exp(beta x)) / beta, without overflow.
struct Softplus {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::input;
  double beta;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    const N scaled = constant<N>(beta) * x;
    const N above = max(scaled, constant<N>(0.0));
    return constant<N>(1.0 / beta) * (above + log1p(exp(-abs(scaled))));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    return g * sigmoid(constant<N>(beta) * x);
  }
};

/// x where x > 0, alpha (exp(x) - 1) elsewhere.
struct Elu {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::input;
  double alpha;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    // exp(x) - 1 = 2 t / (1 - t) with t = tanh(x / 2): nothing cancels near 0.
    const N t = tanh(constant<N>(0.5) * min(x, constant<N>(0.0)));
    const N below = constant<N>(2.0 * alpha) * t / (constant<N>(1.0) - t);
    return select(x > constant<N>(0.0), x, below);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    return select(x > constant<N>(0.0), g, g * constant<N>(alpha) * exp(min(x, constant<N>(0.0))));
  }
};

}  // namespace halfstep
