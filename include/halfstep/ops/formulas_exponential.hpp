#pragma once

#include <halfstep/numeric/packet_math.hpp>
#include <halfstep/ops/formula.hpp>

namespace halfstep::inline HALFSTEP_ABI::formulas {

struct Exponential {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::output;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return exp(x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& y) const {
    return g * y;
  }
};

struct Logarithm {
  static constexpr bool compute_bound = true;
  static constexpr Saves saves = Saves::input;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return log(x);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    return g / x;
  }
};

struct Square {
  static constexpr Saves saves = Saves::input;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return x * x;
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    return constant<N>(2.0) * g * x;
  }
};

/// x^c.
struct PowerOf {
  static constexpr Saves saves = Saves::input;
  double exponent;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& x) const {
    return pow(x, constant<N>(exponent));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward(const N& g, const N& x) const {
    // x^-1 at 0 times a slope of 0 would be NaN.
    if (exponent == 0.0) return constant<N>(0.0);
    return g * constant<N>(exponent) * pow(x, constant<N>(exponent - 1.0));
  }
};

/// a^b.
struct Power {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return pow(a, b);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_a(const N& g, const N& a, const N& b) const {
    const N zero = constant<N>(0.0);
    return select(b == zero, zero, g * b * pow(a, b - constant<N>(1.0)));
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N backward_b(const N& g, const N& a, const N& b) const {
    // 0^b does not move with b where b > 0.
    const N zero = constant<N>(0.0);
    return select(a == zero, zero, g * pow(a, b) * log(a));
  }
};

}  // namespace halfstep
