#pragma once

#include <halfstep/autograd/gradient_flow.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// Which operands of a product are stored transposed (their last two axes swapped).
struct Transposed {
  bool a = false;
  bool b = false;
};

namespace autograd {

/// What a product computes in: what the call names, else the storage type's compute type.
template <class Named, class S>
using ProductCompute =
    std::conditional_t<std::is_void_v<Named>, typename numeric_traits<S>::compute, Named>;

/// to = op(a) op(b), or += where the destination says so.
template <class Compute, class S, class B>
void product_into(GemmProblem problem, const TensorOf<S, B>& a, const TensorOf<S, B>& b,
                  const typename Slot<S, B>::Destination& to) {
  problem.beta = to.accumulate ? 1.0f : 0.0f;
  B::template gemm<Compute>(problem, a.data(), b.data(), to.view.data(),
                            static_cast<const S*>(nullptr));
}

/// The gradients of a weight [out, in] and of a bias [out] from those of y = x weight^T + bias:
/// g^T x, and the sums of g's columns. A null pointer wants none.
///
/// @param rows  of g [rows, out] and x [rows, in]
template <class Compute, class S, class B>
void weight_and_bias_gradients(Index rows, const TensorOf<S, B>& g, const TensorOf<S, B>& x,
                               Slot<S, B>* to_weight, Slot<S, B>* to_bias) {
  GemmProblem p{.m = g.size() / rows, .n = x.size() / rows, .k = rows, .transpose_a = true};
  if (to_weight != nullptr && to_bias != nullptr) {
    const auto weight = to_weight->destination();
    const auto bias = to_bias->destination();
    p.beta = weight.accumulate ? 1.0f : 0.0f;
    B::template gemm_bias_gradient<Compute>(p, g.read().data(), x.read().data(), weight.view.data(),
                                            bias.view.data(), bias.accumulate);
  } else if (to_weight != nullptr) {
    product_into<Compute, S, B>(p, g, x, to_weight->destination());
  } else if (to_bias != nullptr) {
    const auto to = to_bias->destination();
    const ReduceProblem columns{.reduced = rows, .inner = p.m, .accumulate = to.accumulate};
    B::template reduce<Reduction::sum>(columns, formulas::Identity{}, to.view.data(),
                                       g.read().data());
  }
}

/// The extents of op(a) op(b); a batch of each, or b one matrix for all rows of a.
/// @throws ShapeError  they do not fit
template <class S, class B>
GemmProblem matmul_problem(const Variable<S, B>& a, const Variable<S, B>& b, Transposed stored,
                           Shape& result) {
  const int rank = a.shape().rank();
  const auto refuse = [&](const auto&... why) {
    fail<ShapeError>("matmul: ", described(a), stored.a ? " (transposed)" : "", " times ",
                     described(b), stored.b ? " (transposed)" : "", ": ", why...);
  };
  if (rank < 2 || b.shape().rank() < 2)
    refuse("both must be matrices or batches of matrices; reshape to [rows, columns]");
  GemmProblem problem;
  problem.transpose_a = stored.a;
  problem.transpose_b = stored.b;
  problem.m = a.shape()[stored.a ? -1 : -2];
  problem.k = a.shape()[stored.a ? -2 : -1];
  problem.n = b.shape()[stored.b ? -2 : -1];
  const Index inner = b.shape()[stored.b ? -1 : -2];
  if (problem.k != inner)
    refuse("the inner extents ", problem.k, " and ", inner,
           " differ; transpose an operand (Transposed{.a, .b}) or reshape it");
  result = a.shape();
  if (b.shape().rank() == 2 && rank > 2) {
    if (stored.a) refuse("a transposed batch needs a batch on the other side; reshape it");
    problem.m = a.size() / problem.k;
  } else {
    problem.batch = a.shape().size_between(0, rank - 2);
    if (b.shape().rank() != rank) refuse("the ranks differ; reshape one operand");
    for (int axis = 0; axis < rank - 2; ++axis)
      if (a.shape()[axis] != b.shape()[axis])
        refuse("the batch extents ", a.shape()[axis], " and ", b.shape()[axis], " of axis ", axis,
               " differ; every matrix of a batch needs its partner");
    result[-2] = problem.m;
  }
  result[-1] = problem.n;
  return problem;
}

}  // namespace autograd

/// C = op(A) op(B), for matrices, or matrix by matrix for batches of equal leading extents.
///
/// @tparam Compute  what sums are kept in (float, double, tf32); by default the storage type's
/// @param a  [..., m, k], or [..., k, m] where `stored.a`
/// @param b  [..., k, n], or [..., n, k] where `stored.b`; one [k, n] also serves every row of a
/// @return  [..., m, n]
/// @throws ShapeError  the inner or the batch extents differ
/// @numerics  products and sums in Compute; one rounding, at the store
template <class Compute = void, class S, class B>
Variable<S, B> matmul(const Variable<S, B>& a, const Variable<S, B>& b, Transposed stored = {}) {
  using Sum = autograd::ProductCompute<Compute, S>;
  autograd::require_elements("matmul", a, b);
  const bool wanted = autograd::recorded("matmul", a, b);
  Shape shape;
  const GemmProblem problem = autograd::matmul_problem(a, b, stored, shape);
  TensorOf<S, B> y(shape);
  B::template gemm<Sum>(problem, a.value().data(), b.value().data(), y.data(),
                        static_cast<const S*>(nullptr));
  if (!wanted) return autograd::unrecorded<B, S>("matmul", std::move(y), a, b);
  return autograd::record<B, S>(
      "matmul", std::move(y),
      [problem, a = a.value(), b = b.value()](const TensorOf<S, B>& g, autograd::Slot<S, B>* to_a,
                                              autograd::Slot<S, B>* to_b) {
        GemmProblem p;
        p.batch = problem.batch;
        if (to_a != nullptr && !problem.transpose_a) {  // G op(B)^T
          p.m = problem.m, p.n = problem.k, p.k = problem.n;
          p.transpose_a = false, p.transpose_b = !problem.transpose_b;
          autograd::product_into<Sum, S, B>(p, g, b, to_a->destination());
        } else if (to_a != nullptr) {  // op(B) G^T
          p.m = problem.k, p.n = problem.m, p.k = problem.n;
          p.transpose_a = problem.transpose_b, p.transpose_b = true;
          autograd::product_into<Sum, S, B>(p, b, g, to_a->destination());
        }
        if (to_b != nullptr && !problem.transpose_b) {  // op(A)^T G
          p.m = problem.k, p.n = problem.n, p.k = problem.m;
          p.transpose_a = !problem.transpose_a, p.transpose_b = false;
          autograd::product_into<Sum, S, B>(p, a, g, to_b->destination());
        } else if (to_b != nullptr) {  // G^T op(A)
          p.m = problem.n, p.n = problem.k, p.k = problem.m;
          p.transpose_a = true, p.transpose_b = problem.transpose_a;
          autograd::product_into<Sum, S, B>(p, g, a, to_b->destination());
        }
      },
      a, b);
}

template <class Compute = void, class S1, class B1, class S2, class B2>
requires MixedStorage<S1, S2>
auto matmul(const Variable<S1, B1>& a, const Variable<S2, B2>& b, Transposed = {}) {
  return autograd::refuse_mixed(a, b);
}

}  // namespace halfstep
