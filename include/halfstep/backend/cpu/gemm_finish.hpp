#pragma once

#include <halfstep/backend/cpu/rows.hpp>
#include <halfstep/ops/backend.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// max(x, 0), and NaN for NaN.
struct ClampBelow {
  template <class N>
  HALFSTEP_INLINE void operator()(N& x) const {
    x = select(x < N(0.0f), N(0.0f), x);
  }
};

/// What is left of a product whose sums stand in a buffer: C = activation(alpha sums + bias + beta
/// C), rounded once.
template <class Scalar, class Out, class Bias>
struct GemmFinishKernel {
  const Scalar* sums;
  Out* c;
  const Bias* bias;
  Index n;
  float alpha;
  float beta;
  bool relu;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first_row, Index last_row) const {
    for (Index row = first_row; row < last_row; ++row)
      for (Index i = 0; i < n; i += lanes<N>) {
        const auto count = static_cast<std::size_t>(n - i);
        N value = load_partial<N>(sums + row * n + i, count) * N(alpha);
        if (bias != nullptr) value = value + load_partial<N>(bias + i, count);
        Out* const to = c + row * n + i;
        if (beta != 0.0f) value = value + N(beta) * load_partial<N>(to, count);
        if (relu) ClampBelow{}(value);
        store_partial(value, to, count);
      }
  }
};

template <class Scalar, class Out, class Bias>
void finish_gemm(const GemmProblem& p, const Scalar* sums, Out* c, const Bias* bias) {
  const GemmFinishKernel<Scalar, Out, Bias> kernel{
      sums, c, bias, p.n, p.alpha, p.beta, p.activation == Activation::relu};
  parallel_for(p.batch * p.m, row_grain(p.n),
               [&](Index first, Index last) { run_as<Scalar>(kernel, first, last); });
}

}  // namespace halfstep
