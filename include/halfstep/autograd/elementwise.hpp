#pragma once

#include <halfstep/autograd/gradient_flow.hpp>

namespace halfstep::inline HALFSTEP_ABI::autograd {

// How formulas (ops/formula.hpp) become differentiable operations.

/// y = f(x), element by element; keeps x or y for backward, as the formula says.
///
/// y takes x's memory where backward does not need x, nobody else holds its value and no observer
/// wants to see it: relu(conv(x)) is one array, not two.
template <class F, class S, class B>
Variable<S, B> unary(const char* name, const F& f, Variable<S, B> x) {
  require_elements(name, x);
  const bool wanted = recorded(name, x);
  const bool in_place =
      F::saves != Saves::input && x.value().unique() && ObserverScope::current() == nullptr;
  TensorOf<S, B> y = in_place ? x.value() : TensorOf<S, B>(x.shape());
  B::for_each_element(x.size(), ValuePass<F>{f}, out(y.view()), in(x.value().read()));
  if (!wanted) return unrecorded<B, S>(name, std::move(y), x);
  if constexpr (F::saves == Saves::nothing) {
    // Linear without an offset: the derivative is the formula itself.
    return record<B, S>(
        name, std::move(y),
        [f](TensorOf<S, B> g, Slot<S, B>* slot) {
          contribute<S, B>(*slot, g.shape(), &g, ValuePass<F>{f}, g);
        },
        x);
  } else {
    const TensorOf<S, B> saved = F::saves == Saves::input ? x.value() : y;
    return record<B, S>(
        name, std::move(y),
        [f, saved](TensorOf<S, B> g, Slot<S, B>* slot) {
          contribute<S, B>(*slot, g.shape(), &g, GradientPass<F>{f}, g, saved);
        },
        x);
  }
}

/// y = f(a, b), element by element, of values that are stretched to one shape; what is computed
/// from them is not differentiated.
template <class F, class S, class B>
TensorOf<S, B> binary_value(const char* name, const F& f, const Variable<S, B>& a,
                            const Variable<S, B>& b) {
  require_elements(name, a, b);
  const Shape shape =
      a.shape() == b.shape() ? a.shape() : broadcast_shape(name, a.shape(), b.shape());
  TensorOf<S, B> y(shape);
  const TensorOf<S, B> left = broadcast_to<B>(a.value(), shape);
  const TensorOf<S, B> right = broadcast_to<B>(b.value(), shape);
  B::for_each_element(y.size(), BinaryValuePass<F>{f}, out(y.view()), in(left.view()),
                      in(right.view()));
  return y;
}

/// y = f(a, b), element by element, with numpy's broadcasting; keeps both for backward.
template <class F, class S, class B>
Variable<S, B> binary(const char* name, const F& f, const Variable<S, B>& a,
                      const Variable<S, B>& b) {
  const bool wanted = recorded(name, a, b);
  TensorOf<S, B> y = binary_value(name, f, a, b);
  if (!wanted) return unrecorded<B, S>(name, std::move(y), a, b);
  return record<B, S>(
      name, std::move(y),
      [f, a = a.value(), b = b.value()](TensorOf<S, B> g, Slot<S, B>* to_a, Slot<S, B>* to_b) {
        const Shape shape = g.shape();
        const TensorOf<S, B> left = broadcast_to<B>(a, shape);
        const TensorOf<S, B> right = broadcast_to<B>(b, shape);
        if (to_a != nullptr)
          contribute<S, B>(*to_a, shape, to_b == nullptr ? &g : nullptr, GradientPassA<F>{f}, g,
                           left, right);
        if (to_b != nullptr)
          contribute<S, B>(*to_b, shape, &g, GradientPassB<F>{f}, g, left, right);
      },
      a, b);
}

}  // namespace halfstep
