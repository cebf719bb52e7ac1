#pragma once

#include <halfstep/backend/cpu/convolution.hpp>
#include <halfstep/backend/cpu/gemm_finish.hpp>
#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/cpu/widen.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/separate_epilogues.hpp>
#include <halfstep/tensor/tensor.hpp>

#if defined(HALFSTEP_X86) && !defined(__clang__)
// GCC 12 warns about its own intrinsics, which Eigen includes.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Core>
#if defined(HALFSTEP_X86) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// C = op(A) op(B) by Eigen, on this thread or, where Eigen has OpenMP, on all.
template <class T>
void eigen_product(const GemmProblem& p, Index rows, const T* a, const T* b, T* c) {
  using Matrix = ::Eigen::Matrix<T, ::Eigen::Dynamic, ::Eigen::Dynamic, ::Eigen::RowMajor>;
  using Stride = ::Eigen::OuterStride<>;
  using Operand = ::Eigen::Map<const Matrix, 0, Stride>;
  ::Eigen::Map<Matrix> out(c, rows, p.n);
  // The rows of op(A) that are wanted: rows of A, or columns of it where it is transposed.
  const Operand left(a, p.transpose_a ? p.k : rows, p.transpose_a ? rows : p.k,
                     Stride(p.transpose_a ? p.m : p.k));
  const Operand right(b, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n,
                      Stride(p.transpose_b ? p.k : p.n));
  if (p.transpose_a && p.transpose_b) {
    out.noalias() = left.transpose() * right.transpose();
  } else if (p.transpose_a) {
    out.noalias() = left.transpose() * right;
  } else if (p.transpose_b) {
    out.noalias() = left * right.transpose();
  } else {
    out.noalias() = left * right;
  }
}

/// The products of a batch, into `sums`.
template <class T>
void eigen_gemm(const GemmProblem& p, const T* a, const T* b, T* sums) {
#if defined(HALFSTEP_OPENMP)
  if (p.batch == 1) {
    tell_vendor_libraries();
    eigen_product(p, p.m, a, b, sums);
    return;
  }
  const Index piece = p.m;
#else
  // As many rows a piece as give every thread two of them, in steps of Eigen's register block.
  const Index wanted = (p.m * p.batch + 2 * threads() - 1) / (2 * threads());
  const Index piece = std::min(p.m, std::max<Index>(48, (wanted + 47) / 48 * 48));
#endif
  const Index pieces = (p.m + piece - 1) / piece;
  parallel_for(p.batch * pieces, 1, [&](Index task, Index) {
    const Index i = task / pieces;
    const Index row = task % pieces * piece;
    eigen_product(p, std::min(piece, p.m - row),
                  a + i * p.m * p.k + (p.transpose_a ? row : row * p.k), b + i * p.k * p.n,
                  sums + i * p.m * p.n + row * p.n);
  });
}

}  // namespace halfstep

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// Runs anywhere: our own loops, and Eigen's products.
///
/// @numerics  16-bit operands are widened to float, products and sums are in float, and the result
///            is rounded once
struct Eigen : CpuLoops, SeparateEpilogues<Eigen> {
  static constexpr std::string_view name = "eigen";

  template <class In, class Compute, class Out>
  static constexpr bool has_gemm =
      Storage<In>&& std::is_same_v<Compute, typename numeric_traits<In>::compute> &&
      (std::is_same_v<Out, In> || std::is_same_v<Out, Compute>);

  template <class Compute, class In, class Out, class Bias>
  static void gemm(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    static_assert(has_gemm<In, Compute, Out>);
    if (p.batch == 0 || p.m == 0 || p.n == 0) return;
    if (p.k == 0) return Reference::gemm<Compute>(p, a, b, c, bias);
    const cpu::WidenedOperands<Compute, In> wide(p.batch * p.m * p.k, a, p.batch * p.k * p.n, b);
    const bool plain =
        p.alpha == 1.0f && p.beta == 0.0f && bias == nullptr && p.activation == Activation::none;
    if constexpr (std::is_same_v<Out, Compute>) {
      if (plain) return cpu::eigen_gemm(p, wide.a(), wide.b(), c);
    }
    Tensor<Compute> sums(Shape{p.batch * p.m, p.n});
    cpu::eigen_gemm(p, wide.a(), wide.b(), sums.data());
    cpu::finish_gemm(p, sums.data(), c, bias);
  }

  template <class Compute, class S>
  static void convolve(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias,
                       S* y, bool accumulate) {
    cpu::convolve<Eigen>(p, x, weight, bias, y, accumulate);
  }
  template <class Compute, class S>
  static void convolve_transposed(const ConvolutionProblem& p, const S* y, const S* weight,
                                  const S* bias, S* x, bool accumulate) {
    cpu::convolve_transposed<Eigen>(p, y, weight, bias, x, accumulate);
  }
  template <class Compute, class S>
  static void convolve_weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                              bool accumulate) {
    cpu::convolve_weight<Eigen>(p, x, y, weight, accumulate);
  }
};

}  // namespace backend
}  // namespace halfstep
