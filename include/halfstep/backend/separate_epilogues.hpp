#pragma once

#include <halfstep/ops/backend.hpp>
#include <halfstep/ops/formulas_activation.hpp>
#include <halfstep/ops/formulas_arithmetic.hpp>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// A product and what follows it, as passes of their own: the epilogues of a backend that fuses
/// none, and what fused ones are measured and tested against. See ops/backend.hpp.
///
/// @tparam B  the backend that derives from this; it has gemm, for_each_element and reduce
/// @numerics  the product is rounded to T and read again: GELU is that of the rounded sum, a slope
///            multiplies the rounded product, and a bias's gradient is the sum of rounded numbers,
///            in the compute type
template <class B>
struct SeparateEpilogues {
  template <class Compute, class T>
  static void gemm_gelu(const GemmProblem& p, const T* a, const T* b, T* c, const T* bias,
                        T* before) {
    T* const sums = before == nullptr ? c : before;
    B::template gemm<Compute>(p, a, b, sums, bias);
    finish_gelu(p, sums, c);
  }

  template <class Compute, class T>
  static void gemm_gelu_backward(const GemmProblem& p, const T* a, const T* b, T* c,
                                 const T* before, T* bias_gradient, bool add_to_bias) {
    gemm_backward<Compute, formulas::GeluTanh>(p, a, b, c, before, bias_gradient, add_to_bias);
  }

  template <class Compute, class T>
  static void gemm_relu_backward(const GemmProblem& p, const T* a, const T* b, T* c, const T* after,
                                 T* bias_gradient, bool add_to_bias) {
    gemm_backward<Compute, formulas::Relu>(p, a, b, c, after, bias_gradient, add_to_bias);
  }

  template <class Compute, class In, class Out>
  static void gemm_bias_gradient(const GemmProblem& p, const In* a, const In* b, Out* c,
                                 Out* bias_gradient, bool add_to_bias) {
    B::template gemm<Compute>(p, a, b, c, static_cast<const In*>(nullptr));
    finish_bias_gradient(p, a, bias_gradient, add_to_bias);
  }

  /// What follows the product in gemm_bias_gradient: sums[i] (+)= the sum of op(a)'s row i.
  template <class In, class Out>
  static void finish_bias_gradient(const GemmProblem& p, const In* a, Out* sums, bool add) {
    ReduceProblem rows{.outer = p.m, .reduced = p.k, .accumulate = add};
    if (p.transpose_a) rows = {.reduced = p.k, .inner = p.m, .accumulate = add};
    B::template reduce<Reduction::sum>(rows, formulas::Identity{}, sums, a);
  }
  /// What follows the product in gemm_gelu: c = gelu(before).
  template <class T>
  static void finish_gelu(const GemmProblem& p, const T* before, T* c) {
    B::for_each_element(p.m * p.n, ValuePass<formulas::GeluTanh>{}, Out<T>{c}, In<T>{before});
  }
  /// What follows the product in a backward pass: c *= the slope of `Formula`, and c's sums.
  template <class Formula, class T>
  static void finish_backward(const GemmProblem& p, T* c, const T* saved, T* bias_gradient,
                              bool add_to_bias) {
    B::for_each_element(p.m * p.n, GradientPass<Formula>{}, Out<T>{c}, In<T>{c}, In<T>{saved});
    if (bias_gradient == nullptr) return;
    const ReduceProblem columns{.reduced = p.m, .inner = p.n, .accumulate = add_to_bias};
    B::template reduce<Reduction::sum>(columns, formulas::Identity{}, bias_gradient,
                                       static_cast<const T*>(c));
  }

 private:
  template <class Compute, class Formula, class T>
  static void gemm_backward(const GemmProblem& p, const T* a, const T* b, T* c, const T* saved,
                            T* bias_gradient, bool add_to_bias) {
    B::template gemm<Compute>(p, a, b, c, static_cast<const T*>(nullptr));
    finish_backward<Formula>(p, c, saved, bias_gradient, add_to_bias);
  }
};

}  // namespace backend
}  // namespace halfstep
