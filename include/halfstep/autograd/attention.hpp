#pragma once

#include <halfstep/autograd/gradient_flow.hpp>
#include <halfstep/ops/attention.hpp>

#include <cmath>
#include <optional>

namespace halfstep::inline HALFSTEP_ABI {

/// What attention may do otherwise.
struct AttentionSettings {
  /// Query i sees keys 0 to i only.
  bool causal = false;
  /// The factor on the scores; 1 / sqrt(width) where it is not said.
  std::optional<double> scale = std::nullopt;
};

namespace autograd {

/// Attention's result and what backward needs of it.
template <class S, class B>
struct Attended {
  TensorOf<S, B> y;
  TensorOf<typename numeric_traits<S>::compute, B> log_sum;

  Attended(const AttentionProblem& p, const Shape& shape, const S* q, const S* k, const S* v)
      : y(shape), log_sum(Shape{p.batch, p.heads, p.queries}) {
    B::attention(p, q, k, v, y.data(), log_sum.data());
  }
};

inline double attention_scale(const AttentionSettings& settings, Index width) {
  return settings.scale.value_or(1.0 / std::sqrt(static_cast<double>(width)));
}

}  // namespace autograd

/// y = softmax(scale q k^T) v, for each head of each sequence. (Vaswani et al., arXiv 1706.03762,
/// equation 1)
///
/// The scores are not stored: memory grows with the sequence's length, not with its square, and
/// backward computes them again. (Dao et al., arXiv 2205.14135)
///
/// @param q  [..., queries, width]
/// @param k  [..., keys, width]
/// @param v  as k
/// @return  as q
/// @throws ShapeError  the extents do not fit each other
/// @numerics  scores, softmax and sums in the compute type, FP32 for 16-bit storage; one rounding,
///            at the store. A backend that multiplies 16-bit numbers as they are also rounds
///            probabilities and their gradients to them, for their products alone.
template <class S, class B>
Variable<S, B> attention(const Variable<S, B>& q, const Variable<S, B>& k, const Variable<S, B>& v,
                         const AttentionSettings& settings = {}) {
  autograd::require_elements("attention", q, k, v);
  const bool wanted = autograd::recorded("attention", q, k, v);
  const int rank = q.shape().rank();
  const auto refuse = [&](const auto&... why) {
    fail<ShapeError>("attention: q ", autograd::described(q), ", k ", autograd::described(k),
                     " and v ", autograd::described(v), ": ", why...);
  };
  if (rank < 2) refuse("they must be [..., time, width]");
  if (k.shape() != v.shape()) refuse("every key needs its value; give k and v one shape");
  if (k.shape().rank() != rank || k.shape()[-1] != q.shape()[-1])
    refuse("q and k differ in rank or width; project both to one width");
  for (int axis = 0; axis < rank - 2; ++axis)
    if (k.shape()[axis] != q.shape()[axis])
      refuse("axis ", axis, " differs; every sequence and head of q needs its own in k");
  AttentionProblem p;
  p.heads = q.shape().size_between(0, rank - 2);
  p.queries = q.shape()[-2];
  p.keys = k.shape()[-2];
  p.width = q.shape()[-1];
  p.scale = autograd::attention_scale(settings, p.width);
  p.causal = settings.causal;
  p.q = p.y = HeadStrides::apart(p.heads, p.queries, p.width);
  p.k = p.v = HeadStrides::apart(p.heads, p.keys, p.width);
  const autograd::Attended<S, B> result(p, q.shape(), q.value().data(), k.value().data(),
                                        v.value().data());
  if (!wanted) return autograd::unrecorded<B, S>("attention", result.y, q, k, v);
  return autograd::record<B, S>(
      "attention", result.y,
      [p, result, q = q.value(), k = k.value(), v = v.value()](
          const TensorOf<S, B>& g, autograd::Slot<S, B>* to_q, autograd::Slot<S, B>* to_k,
          autograd::Slot<S, B>* to_v) {
        AttentionGradients<S> to;
        const auto open = [](autograd::Slot<S, B>* slot, S*& into, bool& add) {
          if (slot == nullptr) return;
          const auto destination = slot->destination();
          into = destination.view.data();
          add = destination.accumulate;
        };
        open(to_q, to.q, to.add_q);
        open(to_k, to.k, to.add_k);
        open(to_v, to.v, to.add_v);
        B::attention_backward(p, q.data(), k.data(), v.data(), result.y.data(),
                              result.log_sum.data(), g.data(), to);
      },
      q, k, v);
}

/// Attention of a sequence to itself, from one projection: queries, keys and values are consecutive
/// thirds of the last axis, and heads consecutive parts of each; nothing is moved.
///
/// @param qkv    [..., time, 3 width]
/// @param heads  divides width; each works on width / heads
/// @return  [..., time, width], the heads' results side by side
/// @throws ShapeError  the last extent is not three times a multiple of heads
template <class S, class B>
Variable<S, B> attention(const Variable<S, B>& qkv, Index heads,
                         const AttentionSettings& settings = {}) {
  autograd::require_elements("attention", qkv);
  const bool wanted = autograd::recorded("attention", qkv);
  const int rank = qkv.shape().rank();
  if (heads < 1 || rank < 2 || qkv.shape()[-1] % (3 * heads) != 0)
    fail<ShapeError>("attention: ", autograd::described(qkv), " with ", heads,
                     " heads: it must be [..., time, 3 width] with a width that the heads divide");
  const Index row = qkv.shape()[-1];
  const Index width = row / 3;
  AttentionProblem p;
  p.batch = qkv.shape().size_between(0, rank - 2);
  p.heads = heads;
  p.queries = p.keys = qkv.shape()[-2];
  p.width = width / heads;
  p.scale = autograd::attention_scale(settings, p.width);
  p.causal = settings.causal;
  p.q = p.k = p.v = HeadStrides::in_rows(p.queries, row, p.width);
  p.y = HeadStrides::in_rows(p.queries, width, p.width);
  Shape shape = qkv.shape();
  shape[-1] = width;
  const S* const from = qkv.value().data();
  const autograd::Attended<S, B> result(p, shape, from, from + width, from + 2 * width);
  if (!wanted) return autograd::unrecorded<B, S>("attention", result.y, qkv);
  return autograd::record<B, S>(
      "attention", result.y,
      [p, width, result, qkv = qkv.value()](const TensorOf<S, B>& g, autograd::Slot<S, B>* slot) {
        const auto to = slot->destination();
        S* const into = to.view.data();
        const S* const from = qkv.data();
        B::attention_backward(p, from, from + width, from + 2 * width, result.y.data(),
                              result.log_sum.data(), g.data(),
                              AttentionGradients<S>{into, into + width, into + 2 * width,
                                                    to.accumulate, to.accumulate, to.accumulate});
      },
      qkv);
}

template <class S1, class B1, class S2, class B2, class S3, class B3>
requires(MixedStorage<S1, S2> ||
         MixedStorage<S2, S3>) auto attention(const Variable<S1, B1>& q, const Variable<S2, B2>& k,
                                              const Variable<S3, B3>&,
                                              const AttentionSettings& = {}) {
  static_assert(OneStorageType<S2, S3>::value);
  return autograd::refuse_mixed(q, k);
}

}  // namespace halfstep
