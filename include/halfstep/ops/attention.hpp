#pragma once

#include <halfstep/tensor/shape.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// How many elements lie between neighbours of a [batch, heads, time, width] whose rows of `width`
/// are contiguous: heads may stand apart, or be parts of a longer row.
struct HeadStrides {
  Index batch = 0;
  Index head = 0;
  Index time = 0;

  /// [batch, heads, time, width], contiguous.
  static HeadStrides apart(Index heads, Index time, Index width) {
    return {heads * time * width, time * width, width};
  }
  /// [batch, time, row], of which each head has `width` consecutive elements.
  static HeadStrides in_rows(Index time, Index row, Index width) {
    return {time * row, width, row};
  }
  HALFSTEP_HOST_DEVICE Index operator()(Index in_batch, Index in_head) const {
    return in_batch * batch + in_head * head;
  }
};

/// The extents of attention: for each head of each sequence, Q is [queries, width], K and V are
/// [keys, width] and Y = softmax(scale Q K^T) V is [queries, width].
struct AttentionProblem {
  Index batch = 1;
  Index heads = 1;
  Index queries = 0;
  Index keys = 0;
  Index width = 0;
  double scale = 1.0;
  /// Query i sees keys 0 to i only.
  bool causal = false;
  HeadStrides q{};
  HeadStrides k{};
  HeadStrides v{};
  HeadStrides y{};

  /// How many keys query i sees.
  HALFSTEP_HOST_DEVICE Index seen(Index i) const { return causal && i + 1 < keys ? i + 1 : keys; }
};

/// Where attention's gradients go, each laid out as its input; a null pointer is not wanted.
template <class T>
struct AttentionGradients {
  T* q = nullptr;
  T* k = nullptr;
  T* v = nullptr;
  /// Adds to what is there instead of overwriting it.
  bool add_q = false;
  bool add_k = false;
  bool add_v = false;
};

}  // namespace halfstep
