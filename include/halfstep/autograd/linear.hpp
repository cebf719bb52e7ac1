#pragma once

#include <halfstep/autograd/matmul.hpp>
#include <halfstep/ops/formulas_activation.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// y = activation(x weight^T + bias), the bias and the activation on the product's way out.
///
/// @tparam Compute  what sums are kept in (float, double, tf32); by default the storage type's
/// @param x       [..., in]
/// @param weight  [out, in]
/// @param bias    [out], or an empty variable: none
/// @return  [..., out]
/// @throws ShapeError  the extents do not fit
/// @numerics  products and sums in Compute; one rounding, at the store
template <class Compute = void, class S, class B>
Variable<S, B> linear(const Variable<S, B>& x, const Variable<S, B>& weight,
                      const Variable<S, B>& bias, Activation activation = Activation::none) {
  using Sum = autograd::ProductCompute<Compute, S>;
  autograd::require_elements("linear", x, weight);
  const bool wanted = autograd::recorded("linear", x, weight, bias);
  const bool has_bias = !bias.value().empty();
  if (weight.shape().rank() != 2 || x.shape().rank() < 1 || x.shape()[-1] != weight.shape()[1])
    fail<ShapeError>("linear: x ", autograd::described(x), " does not fit the weight ",
                     autograd::described(weight),
                     "; the weight is [out, in] and the last extent of x must be in");
  if (has_bias && bias.shape() != Shape{weight.shape()[0]})
    fail<ShapeError>("linear: the bias ", autograd::described(bias), " must be [",
                     weight.shape()[0], "] for the weight ", autograd::described(weight));
  GemmProblem problem;
  problem.k = weight.shape()[1];
  problem.n = weight.shape()[0];
  problem.m = x.size() / problem.k;
  problem.transpose_b = true;
  problem.activation = activation;
  Shape shape = x.shape();
  shape[-1] = problem.n;
  TensorOf<S, B> y(shape);
  B::template gemm<Sum>(problem, x.value().data(), weight.value().data(), y.data(),
                        has_bias ? bias.value().data() : static_cast<const S*>(nullptr));
  if (!wanted) return autograd::unrecorded<B, S>("linear", std::move(y), x, weight, bias);
  // Only an activation needs the result for its derivative.
  const TensorOf<S, B> result = activation == Activation::none ? TensorOf<S, B>() : y;
  return autograd::record<B, S>(
      "linear", std::move(y),
      [m = problem.m, n = problem.n, k = problem.k, x = x.value(), weight = weight.value(), result](
          TensorOf<S, B> g, autograd::Slot<S, B>* to_x, autograd::Slot<S, B>* to_weight,
          autograd::Slot<S, B>* to_bias) {
        if (!result.empty()) {
          TensorOf<S, B> masked = g.unique() ? g : TensorOf<S, B>(g.shape());
          B::for_each_element(g.size(), GradientPass<formulas::Relu>{}, out(masked.view()),
                              in(g.read()), in(result.view()));
          g = std::move(masked);
        }
        if (to_x != nullptr)  // [m, n] [n, k]
          autograd::product_into<Sum, S, B>({.m = m, .n = k, .k = n}, g, weight,
                                            to_x->destination());
        autograd::weight_and_bias_gradients<Sum>(m, g, x, to_weight, to_bias);
      },
      x, weight, bias);
}

/// y = x weight^T.
template <class Compute = void, class S, class B>
Variable<S, B> linear(const Variable<S, B>& x, const Variable<S, B>& weight) {
  return linear<Compute>(x, weight, Variable<S, B>());
}

template <class Compute = void, class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto linear(const Variable<S1, B1>& x, const Variable<S2, B2>& weight) {
  return autograd::refuse_mixed(x, weight);
}
template <class Compute = void, class S1, class B1, class S2, class B2, class S3, class B3>
requires(MixedStorage<S1, S2> || MixedStorage<S2, S3>) auto linear(const Variable<S1, B1>& x,
                                                                   const Variable<S2, B2>& weight,
                                                                   const Variable<S3, B3>&,
                                                                   Activation = Activation::none) {
  static_assert(OneStorageType<S2, S3>::value);
  return autograd::refuse_mixed(x, weight);
}

}  // namespace halfstep
