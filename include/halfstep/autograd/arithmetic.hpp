#pragma once

#include <halfstep/autograd/elementwise.hpp>

namespace halfstep::inline HALFSTEP_ABI {

// + - * / of variables, with numpy's broadcasting, and of a variable and a number.
// @throws ShapeError  the shapes do not broadcast
// @numerics  in the compute type, one rounding at the store

/// a + b.
template <class S, class B>
Variable<S, B> operator+(const Variable<S, B>& a, const Variable<S, B>& b) {
  const bool wanted = autograd::recorded("+", a, b);
  TensorOf<S, B> y = autograd::binary_value("+", formulas::Add{}, a, b);
  if (!wanted) return autograd::unrecorded<B, S>("+", std::move(y), a, b);
  return autograd::record<B, S>(
      "+", std::move(y),
      [](TensorOf<S, B> g, autograd::Slot<S, B>* to_a, autograd::Slot<S, B>* to_b) {
        if (to_a != nullptr) autograd::pass_on<S, B>(*to_a, g);
        if (to_b != nullptr) autograd::pass_on<S, B>(*to_b, g);
      },
      a, b);
}

/// a - b.
template <class S, class B>
Variable<S, B> operator-(const Variable<S, B>& a, const Variable<S, B>& b) {
  const bool wanted = autograd::recorded("-", a, b);
  TensorOf<S, B> y = autograd::binary_value("-", formulas::Subtract{}, a, b);
  if (!wanted) return autograd::unrecorded<B, S>("-", std::move(y), a, b);
  return autograd::record<B, S>(
      "-", std::move(y),
      [](TensorOf<S, B> g, autograd::Slot<S, B>* to_a, autograd::Slot<S, B>* to_b) {
        if (to_a != nullptr) autograd::pass_on<S, B>(*to_a, g);
        if (to_b != nullptr)
          autograd::contribute<S, B>(*to_b, g.shape(), &g, ValuePass<formulas::Negate>{}, g);
      },
      a, b);
}

/// a b, element by element (matmul is the matrix product).
template <class S, class B>
Variable<S, B> operator*(const Variable<S, B>& a, const Variable<S, B>& b) {
  return autograd::binary("*", formulas::Multiply{}, a, b);
}

/// a / b, element by element.
template <class S, class B>
Variable<S, B> operator/(const Variable<S, B>& a, const Variable<S, B>& b) {
  return autograd::binary("/", formulas::Divide{}, a, b);
}

template <class S, class B>
Variable<S, B> operator-(const Variable<S, B>& x) {
  return autograd::unary("-", formulas::Negate{}, x);
}

template <class S, class B>
Variable<S, B> operator+(const Variable<S, B>& x, double c) {
  autograd::require_elements("+", x);
  const bool wanted = autograd::recorded("+", x);
  TensorOf<S, B> y(x.shape());
  B::for_each_element(x.size(), ValuePass<formulas::Shift>{{c}}, out(y.view()),
                      in(x.value().read()));
  if (!wanted) return autograd::unrecorded<B, S>("+", std::move(y), x);
  return autograd::record<B, S>(
      "+", std::move(y), [](TensorOf<S, B> g, autograd::Slot<S, B>* to) { to->give(g); }, x);
}
template <class S, class B>
Variable<S, B> operator+(double c, const Variable<S, B>& x) {
  return x + c;
}
template <class S, class B>
Variable<S, B> operator-(const Variable<S, B>& x, double c) {
  return x + -c;
}
template <class S, class B>
Variable<S, B> operator-(double c, const Variable<S, B>& x) {
  return -x + c;
}
template <class S, class B>
Variable<S, B> operator*(const Variable<S, B>& x, double c) {
  return autograd::unary("*", formulas::Scale{c}, x);
}
template <class S, class B>
Variable<S, B> operator*(double c, const Variable<S, B>& x) {
  return x * c;
}
template <class S, class B>
Variable<S, B> operator/(const Variable<S, B>& x, double c) {
  return x * (1.0 / c);
}
template <class S, class B>
Variable<S, B> operator/(double c, const Variable<S, B>& x) {
  return autograd::unary("/", formulas::DivideInto{c}, x);
}

// Comparisons give 1 or 0 in the storage type, a constant; `where` selects by them.

template <class S, class B>
Variable<S, B> operator<(const Variable<S, B>& a, const Variable<S, B>& b) {
  autograd::recorded("<", a, b);
  return autograd::unrecorded<B, S>("<", autograd::binary_value("<", formulas::Less{}, a, b), a, b);
}
template <class S, class B>
Variable<S, B> operator>(const Variable<S, B>& a, const Variable<S, B>& b) {
  return b < a;
}
template <class S, class B>
Variable<S, B> operator<=(const Variable<S, B>& a, const Variable<S, B>& b) {
  autograd::recorded("<=", a, b);
  return autograd::unrecorded<B, S>(
      "<=", autograd::binary_value("<=", formulas::LessOrEqual{}, a, b), a, b);
}
template <class S, class B>
Variable<S, B> operator>=(const Variable<S, B>& a, const Variable<S, B>& b) {
  return b <= a;
}

// Two storage types: refused.

template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto operator+(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto operator-(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto operator*(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto operator/(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto operator<(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto operator>(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto operator<=(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}
template <class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto operator>=(const Variable<S1, B1>& a, const Variable<S2, B2>& b) {
  return autograd::refuse_mixed(a, b);
}

}  // namespace halfstep
