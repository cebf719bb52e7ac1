#pragma once

#include <halfstep/autograd/elementwise.hpp>
#include <halfstep/ops/formulas_exponential.hpp>

#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

// @numerics  all in the compute type (FP32 for 16-bit storage), one rounding at the store

/// e^x.
template <class S, class B>
Variable<S, B> exp(const Variable<S, B>& x) {
  return autograd::unary("exp", formulas::Exponential{}, x);
}

/// The natural logarithm.
template <class S, class B>
Variable<S, B> log(const Variable<S, B>& x) {
  return autograd::unary("log", formulas::Logarithm{}, x);
}

/// The square root.
template <class S, class B>
Variable<S, B> sqrt(const Variable<S, B>& x) {
  return autograd::unary("sqrt", formulas::SquareRoot{}, x);
}

/// |x|; its slope at 0 is 0.
template <class S, class B>
Variable<S, B> abs(const Variable<S, B>& x) {
  return autograd::unary("abs", formulas::Absolute{}, x);
}

/// x held between low and high; no gradient passes outside.
/// @throws UsageError  low > high
template <class S, class B>
Variable<S, B> clamp(const Variable<S, B>& x, double low,
                     double high = std::numeric_limits<double>::infinity()) {
  if (!(low <= high))
    fail<UsageError>("clamp: the lower bound ", low, " is not below the upper one, ", high);
  return autograd::unary("clamp", formulas::Clamp{low, high}, x);
}

/// x^c.
template <class S, class B>
Variable<S, B> pow(const Variable<S, B>& x, double exponent) {
  if (exponent == 2.0) return autograd::unary("pow", formulas::Square{}, x);
  return autograd::unary("pow", formulas::PowerOf{exponent}, x);
}

/// a^b, with numpy's broadcasting.
template <class S, class B>
Variable<S, B> pow(const Variable<S, B>& a, const Variable<S, B>& b) {
  return autograd::binary("pow", formulas::Power{}, a, b);
}

/// The smaller one; equal ones share the gradient. NaN where either is NaN.
template <class S, class B>
Variable<S, B> min(const Variable<S, B>& a, const Variable<S, B>& b) {
  return autograd::binary("min", formulas::Minimum{}, a, b);
}

/// The larger one; equal ones share the gradient. NaN where either is NaN.
template <class S, class B>
Variable<S, B> max(const Variable<S, B>& a, const Variable<S, B>& b) {
  return autograd::binary("max", formulas::Maximum{}, a, b);
}

/// a where the condition is not 0, else b; all three broadcast. `a > b` makes a condition.
/// No gradient goes to the condition.
template <class S, class B>
Variable<S, B> where(const Variable<S, B>& condition, const Variable<S, B>& a,
                     const Variable<S, B>& b) {
  autograd::require_elements("where", condition, a, b);
  const bool wanted =
      autograd::recorded("where", condition, a, b) && (a.wants_gradient() || b.wants_gradient());
  const Shape shape =
      broadcast_shape("where", broadcast_shape("where", a.shape(), b.shape()), condition.shape());
  const TensorOf<S, B> chosen = broadcast_to<B>(condition.value(), shape);
  const TensorOf<S, B> left = broadcast_to<B>(a.value(), shape);
  const TensorOf<S, B> right = broadcast_to<B>(b.value(), shape);
  TensorOf<S, B> y(shape);
  B::for_each_element(y.size(), formulas::Choose{}, out(y.view()), in(chosen.view()),
                      in(left.view()), in(right.view()));
  if (!wanted) return autograd::unrecorded<B, S>("where", std::move(y), a, b);
  return autograd::record<B, S>(
      "where", std::move(y),
      [chosen](TensorOf<S, B> g, autograd::Slot<S, B>* to_a, autograd::Slot<S, B>* to_b) {
        const Shape shape = g.shape();
        if (to_a != nullptr)
          autograd::contribute<S, B>(*to_a, shape, to_b == nullptr ? &g : nullptr,
                                     formulas::KeepWhere<true>{}, chosen, g);
        if (to_b != nullptr)
          autograd::contribute<S, B>(*to_b, shape, &g, formulas::KeepWhere<false>{}, chosen, g);
      },
      a, b);
}

template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto pow(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto min(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto max(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2, class S3, class B3>
requires(MixedStorage<S1, S2> || MixedStorage<S2, S3>) auto where(const Variable<S1, B1>&,
                                                                  const Variable<S2, B2>&,
                                                                  const Variable<S3, B3>& b) {
  static_assert(OneStorageType<S2, S3>::value);
  static_assert(OneStorageType<S1, S2>::value);
  return b;
}

}  // namespace halfstep
