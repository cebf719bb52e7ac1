#pragma once

#include <halfstep/numeric/packet.hpp>
#include <halfstep/ops/elements.hpp>

#include <concepts>

namespace halfstep::inline HALFSTEP_ABI {

// A formula is a functor over "a number" N: float, double, or a packet of floats. It is written
// once and runs in reference loops, in packet loops and in GPU kernels, so it is always inlined,
// trivially copyable and no lambda (nvcc loses target attributes on those).
//
// One of x says its value, what its derivative is computed from, and the derivative:
//   static constexpr Saves saves = Saves::output;
//   N operator()(const N& x) const;
//   N backward(const N& upstream, const N& saved) const;      upstream * dy/dx
// One of a and b says N operator()(a, b), N backward_a(upstream, a, b) and backward_b(upstream, a,
// b). `upstream` is an argument so that a formula that passes nothing selects 0: inf times 0 is
// NaN.

/// What an operation must keep for backward.
enum class Saves { nothing, input, output };

/// A constant in N's own precision: a double keeps all its digits where N is double.
template <class N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N constant(double value) {
  if constexpr (std::same_as<N, double>) {
    return value;
  } else {
    return N(static_cast<float>(value));
  }
}

/// y = f(x).
template <class F>
struct ValuePass {
  static constexpr bool compute_bound = ComputeBound<F>;
  F f;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& y, const N& x) const {
    y = f(x);
  }
};

/// gradient = upstream f'(saved). The gradient may be written over the upstream.
template <class F>
struct GradientPass {
  static constexpr bool compute_bound = ComputeBound<F>;
  F f;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& gradient, const N& upstream,
                                                       const N& saved) const {
    gradient = f.backward(upstream, saved);
  }
};

/// y = f(a, b).
template <class F>
struct BinaryValuePass {
  static constexpr bool compute_bound = ComputeBound<F>;
  F f;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& y, const N& a, const N& b) const {
    y = f(a, b);
  }
};

/// The gradient of f(a, b) with respect to a.
template <class F>
struct GradientPassA {
  static constexpr bool compute_bound = ComputeBound<F>;
  F f;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& gradient, const N& upstream, const N& a,
                                                       const N& b) const {
    gradient = f.backward_a(upstream, a, b);
  }
};

/// The gradient of f(a, b) with respect to b.
template <class F>
struct GradientPassB {
  static constexpr bool compute_bound = ComputeBound<F>;
  F f;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& gradient, const N& upstream, const N& a,
                                                       const N& b) const {
    gradient = f.backward_b(upstream, a, b);
  }
};

}  // namespace halfstep
