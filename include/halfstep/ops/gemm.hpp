#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/ops/backend.hpp>

#include <functional>

namespace halfstep::inline HALFSTEP_ABI {

/// What a caller may ask of `gemm` beside the product.
struct GemmSettings {
  bool transpose_a = false;  ///< A is stored [k, m]
  bool transpose_b = false;  ///< B is stored [n, k]
  float alpha = 1.0f;
  float beta = 0.0f;  ///< 0 overwrites C, whatever it held
  Activation activation = Activation::none;
};

namespace detail {

/// The text of a product's operands in a message.
template <class In, class Out>
std::string describe_gemm(const Shape& a, const Shape& b, const Shape& c,
                          const GemmSettings& settings) {
  std::ostringstream text;
  text << "gemm: A " << a << (settings.transpose_a ? " (transposed)" : "") << " and B " << b
       << (settings.transpose_b ? " (transposed)" : "") << " of " << numeric_traits<In>::name
       << " into C " << c << " of " << numeric_traits<Out>::name << ": ";
  return text.str();
}

/// @throws ShapeError  the extents do not fit each other
template <class In, class Out>
GemmProblem gemm_problem(const Shape& a, const Shape& b, const Shape& c,
                         const GemmSettings& settings) {
  const auto refuse = [&](const auto&... why) {
    fail<ShapeError>(describe_gemm<In, Out>(a, b, c, settings), why...);
  };
  const int rank = a.rank();
  if ((rank != 2 && rank != 3) || b.rank() != rank || c.rank() != rank)
    refuse("all three must be matrices, or all batches of them (rank 3); reshape them");
  GemmProblem problem;
  problem.m = a[settings.transpose_a ? -1 : -2];
  problem.k = a[settings.transpose_a ? -2 : -1];
  problem.n = b[settings.transpose_b ? -2 : -1];
  problem.transpose_a = settings.transpose_a;
  problem.transpose_b = settings.transpose_b;
  problem.alpha = settings.alpha;
  problem.beta = settings.beta;
  problem.activation = settings.activation;
  const Index b_k = b[settings.transpose_b ? -1 : -2];
  if (b_k != problem.k)
    refuse("the inner extents ", problem.k, " and ", b_k,
           " differ; check the transposes and the order of the operands");
  if (c[-2] != problem.m || c[-1] != problem.n)
    refuse("the product is [", problem.m, ", ", problem.n, "]; give C that shape");
  if (rank == 3) {
    problem.batch = a[0];
    if (b[0] != a[0] || c[0] != a[0]) refuse("the batches differ; broadcast the smaller one first");
  }
  return problem;
}

template <class T, class U>
bool overlap(const T* a, Index a_size, const U* b, Index b_size) {
  const std::less<const void*> before;
  return before(a, b + b_size) && before(b, a + a_size);
}

}  // namespace detail

/// C = activation(alpha op(A) op(B) + bias + beta C), for matrices or for batches of them.
///
/// @tparam B        has_gemm<In, Compute, Out>
/// @tparam Compute  what products and sums are rounded to: float, double, tf32, ...
/// @param a     [m, k] or [batch, m, k]; stored with the last two axes swapped where transposed
/// @param b     [k, n] or [batch, k, n]; likewise
/// @param c     [m, n] or [batch, m, n]; must not alias a, b or bias
/// @param bias  [n], added to every row; an empty view is no bias
/// @throws ShapeError  the extents do not fit, or C overlaps an operand
/// @numerics  products and sums in Compute; one rounding, at the store
template <class B, class Compute, class InElement, class BElement, class Out, class BiasElement>
void gemm(View<InElement, typename B::DeviceType> a, View<BElement, typename B::DeviceType> b,
          View<Out, typename B::DeviceType> c, View<BiasElement, typename B::DeviceType> bias,
          const GemmSettings& settings = {}) {
  using In = std::remove_const_t<InElement>;
  using Bias = std::remove_const_t<BiasElement>;
  static_assert(
      std::is_same_v<In, std::remove_const_t<BElement>>,
      "halfstep: a product takes two operands of one storage type; cast<T>() one of them");
  static_assert(!std::is_const_v<Out>, "halfstep: a product cannot be written to a read-only view");
  static_assert(std::is_same_v<Bias, In> || std::is_same_v<Bias, float>,
                "halfstep: a product's bias has the operands' storage type, or is float");
  static_assert(B::template has_gemm<In, Compute, Out>,
                "halfstep: this backend has no matrix product for these types; choose a precision "
                "or a backend that has it");
  if constexpr (B::template has_gemm<In, Compute, Out>) {
    const GemmProblem problem =
        detail::gemm_problem<In, Out>(a.shape(), b.shape(), c.shape(), settings);
    const auto refuse = [&](const auto&... why) {
      fail<ShapeError>(detail::describe_gemm<In, Out>(a.shape(), b.shape(), c.shape(), settings),
                       why...);
    };
    const bool has_bias = bias.data() != nullptr;
    if (has_bias && (bias.shape().rank() != 1 || bias.shape()[0] != problem.n))
      refuse("the bias is ", bias.shape(), "; it must be [", problem.n, "]");
    if (detail::overlap(c.data(), c.size(), a.data(), a.size()) ||
        detail::overlap(c.data(), c.size(), b.data(), b.size()) ||
        (has_bias && detail::overlap(c.data(), c.size(), bias.data(), bias.size())))
      refuse("C overlaps an operand; give it memory of its own");
    B::template gemm<Compute>(problem, static_cast<const In*>(a.data()),
                              static_cast<const In*>(b.data()), c.data(),
                              static_cast<const Bias*>(bias.data()));
  }
}

/// The product without a bias.
template <class B, class Compute, class InElement, class BElement, class Out>
void gemm(View<InElement, typename B::DeviceType> a, View<BElement, typename B::DeviceType> b,
          View<Out, typename B::DeviceType> c, const GemmSettings& settings = {}) {
  gemm<B, Compute>(a, b, c, View<const std::remove_const_t<InElement>, typename B::DeviceType>(),
                   settings);
}

}  // namespace halfstep
