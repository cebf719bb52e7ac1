#pragma once

#include <halfstep/backend/grid/rows.hpp>
#include <halfstep/ops/attention.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

// Attention in tiles of queries and keys, with the scores in shared memory: no T x T matrix. The
// softmax's log-sum-exp comes first; then every kernel computes exp(score - log_sum) where it needs
// it, and takes `attention_columns` of its output's width at a time.

inline constexpr int attention_rows = 16;     ///< queries of a tile
inline constexpr int attention_keys = 32;     ///< keys of a tile
inline constexpr int attention_columns = 64;  ///< of the width, of an output tile
inline constexpr int attention_threads = 256;

/// What one head reads.
template <class T, class Scalar>
struct AttentionInputs {
  AttentionProblem p;
  const T* q;
  const T* k;
  const T* v;
  const T* upstream;
  const Scalar* log_sum;
  const Scalar* shared;  ///< rowsum(G Y), by query

  HALFSTEP_HOST_DEVICE Scalar dot(const T* a, const T* b) const {
    Scalar sum = 0;
    for (Index d = 0; d < p.width; ++d)
      sum += storage_cast<Scalar>(a[d]) * storage_cast<Scalar>(b[d]);
    return sum;
  }
  HALFSTEP_HOST_DEVICE bool sees(Index i, Index j) const {
    return i < p.queries && j < p.keys && (!p.causal || j <= i);
  }
  HALFSTEP_HOST_DEVICE Scalar score(Index head, Index i, Index j) const {
    const Index b = head / p.heads, h = head % p.heads;
    return static_cast<Scalar>(p.scale) * dot(q + b * p.q.batch + h * p.q.head + i * p.q.time,
                                              k + b * p.k.batch + h * p.k.head + j * p.k.time);
  }
  HALFSTEP_HOST_DEVICE Scalar probability(Index head, Index i, Index j) const {
    return sees(i, j) ? std::exp(score(head, i, j) - log_sum[head * p.queries + i]) : Scalar(0);
  }
  /// dS = scale P (G V^T - rowsum(G Y)).
  HALFSTEP_HOST_DEVICE Scalar slope(Index head, Index i, Index j, Scalar probability) const {
    if (!sees(i, j)) return 0;
    const Index b = head / p.heads, h = head % p.heads;
    const Scalar product = dot(upstream + b * p.y.batch + h * p.y.head + i * p.y.time,
                               v + b * p.v.batch + h * p.v.head + j * p.v.time);
    return static_cast<Scalar>(p.scale) * probability * (product - shared[head * p.queries + i]);
  }
};

/// log_sum of each query: a warp each.
template <class T, class Scalar>
struct AttentionLogSumKernel {
  AttentionInputs<T, Scalar> in;
  Scalar* log_sum;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const AttentionProblem& p = in.p;
    const Index rows = p.batch * p.heads * p.queries;
    typename Block::template PerThread<Scalar> largest, sum;
    block.own([&](int thread) {
      const Index row = block.index() * (block.threads() / warp_size) + thread / warp_size;
      Scalar most = -std::numeric_limits<Scalar>::infinity(), total = 0;
      for (Index j = thread % warp_size; row < rows && j < p.keys; j += warp_size) {
        const Index i = row % p.queries;
        if (!in.sees(i, j)) break;
        // Online: what was summed so far is scaled when a larger score comes.
        const Scalar score = in.score(row / p.queries, i, j);
        const Scalar next = Largest()(most, score);
        // Scores of -inf have no weight beside others.
        if (next == -std::numeric_limits<Scalar>::infinity()) continue;
        total = (most == next ? total : total * std::exp(most - next)) + std::exp(score - next);
        most = next;
      }
      largest[thread] = most;
      sum[thread] = total;
    });
    typename Block::template PerThread<Scalar> own = largest;
    combine_warps(block, largest, Largest());
    block.own([&](int thread) {
      if (sum[thread] != Scalar(0)) sum[thread] *= std::exp(own[thread] - largest[thread]);
    });
    combine_warps(block, sum, Sum());
    block.own([&](int thread) {
      const Index row = block.index() * (block.threads() / warp_size) + thread / warp_size;
      if (thread % warp_size == 0 && row < rows)
        log_sum[row] = largest[thread] + std::log(sum[thread]);
    });
  }
};

/// Which product a tile kernel sums: an output of queries or of keys.
enum class AttentionOutput { y, q, k, v };

/// A tile of an output, [queries or keys, width]:
///   Y = P V, dQ = dS K, dK = dS^T Q, dV = P^T G.
template <AttentionOutput Output, class T, class Scalar>
struct AttentionTileKernel {
  static constexpr bool of_keys = Output == AttentionOutput::k || Output == AttentionOutput::v;
  static constexpr int own_rows = of_keys ? attention_keys : attention_rows;
  static constexpr int other_rows = of_keys ? attention_rows : attention_keys;
  static constexpr int per_thread = own_rows * attention_columns / attention_threads;

  AttentionInputs<T, Scalar> in;
  T* out;
  bool accumulate;

  GridSize grid() const {
    const AttentionProblem& p = in.p;
    return {p.batch * p.heads * rounded_up(of_keys ? p.keys : p.queries, own_rows) *
                rounded_up(p.width, attention_columns),
            attention_threads};
  }

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const AttentionProblem& p = in.p;
    const Index column_tiles = rounded_up(p.width, attention_columns);
    const Index rows = of_keys ? p.keys : p.queries;
    const Index others = of_keys ? p.queries : p.keys;
    const Index row_tiles = rounded_up(rows, own_rows);
    const Index head = block.index() / column_tiles / row_tiles;
    const Index first_row = block.index() / column_tiles % row_tiles * own_rows;
    const Index first_column = block.index() % column_tiles * attention_columns;
    Scalar* const weights = block.template shared<Scalar, attention_rows * attention_keys, 0>();

    typename Block::template PerThread<Sums> sums;
    block.own([&](int thread) {
      for (Scalar& sum : sums[thread].of) sum = 0;
    });
    // A causal query sees no later key.
    const Index begin = of_keys && p.causal ? first_row / other_rows * other_rows : 0;
    const Index end = !of_keys && p.causal ? smaller(others, first_row + own_rows) : others;
    for (Index first_other = begin; first_other < end; first_other += other_rows) {
      block.each([&](int thread) {
        for (int at = thread; at < own_rows * other_rows; at += attention_threads) {
          const Index row = first_row + at / other_rows, other = first_other + at % other_rows;
          const Index i = of_keys ? other : row, j = of_keys ? row : other;
          const Scalar probability = in.probability(head, i, j);
          weights[at] = Output == AttentionOutput::y || Output == AttentionOutput::v
                            ? probability
                            : in.slope(head, i, j, probability);
        }
      });
      block.each([&](int thread) {
        for (int n = 0; n < per_thread; ++n) {
          const int at = thread + n * attention_threads;
          const Index column = first_column + at % attention_columns;
          if (column >= p.width) continue;
          for (int o = 0; o < other_rows && first_other + o < others; ++o)
            sums[thread].of[n] += weights[at / attention_columns * other_rows + o] *
                                  storage_cast<Scalar>(other_row(head, first_other + o)[column]);
        }
      });
    }
    block.own([&](int thread) {
      for (int n = 0; n < per_thread; ++n) {
        const int at = thread + n * attention_threads;
        const Index row = first_row + at / attention_columns;
        const Index column = first_column + at % attention_columns;
        if (row >= rows || column >= p.width) continue;
        const HeadStrides& by = strides();
        T& to = out[head / p.heads * by.batch + head % p.heads * by.head + row * by.time + column];
        Scalar value = sums[thread].of[n];
        if (accumulate) value += storage_cast<Scalar>(to);
        to = storage_cast<T>(value);
      }
    });
  }

 private:
  struct Sums {
    Scalar of[per_thread];
  };
  HALFSTEP_HOST_DEVICE const HeadStrides& strides() const {
    if constexpr (Output == AttentionOutput::y) return in.p.y;
    if constexpr (Output == AttentionOutput::q) return in.p.q;
    if constexpr (Output == AttentionOutput::k) return in.p.k;
    return in.p.v;
  }
  /// The row of the operand that the weights multiply.
  HALFSTEP_HOST_DEVICE const T* other_row(Index head, Index row) const {
    const AttentionProblem& p = in.p;
    const auto at = [&](const T* from, const HeadStrides& by) {
      return from + head / p.heads * by.batch + head % p.heads * by.head + row * by.time;
    };
    if constexpr (Output == AttentionOutput::y) return at(in.v, p.v);
    if constexpr (Output == AttentionOutput::q) return at(in.k, p.k);
    if constexpr (Output == AttentionOutput::k) return at(in.q, p.q);
    return at(in.upstream, p.y);
  }
};

/// shared = rowsum(G Y), by query: a warp each.
template <class T, class Scalar>
struct AttentionSharedKernel {
  AttentionProblem p;
  const T* y;
  const T* upstream;
  Scalar* shared;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index rows = p.batch * p.heads * p.queries;
    typename Block::template PerThread<Scalar> sum;
    block.own([&](int thread) {
      const Index row = block.index() * (block.threads() / warp_size) + thread / warp_size;
      const Index head = row / p.queries;
      const Index start =
          head / p.heads * p.y.batch + head % p.heads * p.y.head + row % p.queries * p.y.time;
      Scalar total = 0;
      for (Index d = thread % warp_size; row < rows && d < p.width; d += warp_size)
        total += storage_cast<Scalar>(upstream[start + d]) * storage_cast<Scalar>(y[start + d]);
      sum[thread] = total;
    });
    combine_warps(block, sum, Sum());
    block.own([&](int thread) {
      const Index row = block.index() * (block.threads() / warp_size) + thread / warp_size;
      if (thread % warp_size == 0 && row < rows) shared[row] = sum[thread];
    });
  }
};

}  // namespace halfstep
