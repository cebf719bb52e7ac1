#pragma once

#include <halfstep/backend/grid/attention.hpp>
#include <halfstep/backend/grid/warp_products.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

// Attention of 16-bit numbers on tensor cores, for heads up to 128 wide. (Dao, "FlashAttention-2",
// arXiv 2307.08691) A warp keeps 16 rows of an output and goes through the other side's rows, which
// its block has in shared memory: one product gives scores in registers, the softmax is computed
// there, and, rounded to 16 bits, they are the left operand of the next product. Backward computes
// the probabilities again from log_sum, once by keys and once by queries: no row of an output has
// two writers.
//
// Scores are held times log2(e), so that exp is exp2.

/// What one kernel knows of its block's head, and of Width columns.
template <int Width, class T>
struct AttentionOperands {
  using Tile = WarpTile<float>;
  static constexpr int tile = Tile::size;
  static constexpr int columns = Width / tile;
  static constexpr float log2_e = 1.44269504088896340736f;

  AttentionInputs<T, float> in;
  bool aligned;

  template <class Data>
  HALFSTEP_HOST_DEVICE MatrixRows<Data> rows(Data* data, const HeadStrides& by, Index count,
                                             Index head) const {
    return {data + by(head / in.p.heads, head % in.p.heads), by.time, count, in.p.width};
  }
  HALFSTEP_HOST_DEVICE MatrixRows<const T> q(Index head) const {
    return rows(in.q, in.p.q, in.p.queries, head);
  }
  HALFSTEP_HOST_DEVICE MatrixRows<const T> k(Index head) const {
    return rows(in.k, in.p.k, in.p.keys, head);
  }
  HALFSTEP_HOST_DEVICE MatrixRows<const T> v(Index head) const {
    return rows(in.v, in.p.v, in.p.keys, head);
  }
  HALFSTEP_HOST_DEVICE MatrixRows<const T> upstream(Index head) const {
    return rows(in.upstream, in.p.y, in.p.queries, head);
  }
  HALFSTEP_HOST_DEVICE float log2_scale() const { return static_cast<float>(in.p.scale) * log2_e; }
  /// How a query's probabilities follow from its scores: none of a query that is not there.
  HALFSTEP_HOST_DEVICE float log2_sum(Index head, Index i) const {
    return i < in.p.queries ? in.log_sum[head * in.p.queries + i] * log2_e
                            : std::numeric_limits<float>::infinity();
  }
  HALFSTEP_HOST_DEVICE float shared(Index head, Index i) const {
    return i < in.p.queries ? in.shared[head * in.p.queries + i] : 0.0f;
  }
  /// The keys that end what a block of queries from `first` on sees.
  HALFSTEP_HOST_DEVICE Index end_of_keys(Index first) const {
    return in.p.causal ? smaller(in.p.keys, first + product_rows) : in.p.keys;
  }
  static HALFSTEP_HOST_DEVICE Index row_of_block(int thread, int e) {
    return thread / warp_size * tile + Tile::row(thread, e);
  }
  /// How many of `count` keys from `first` on query i sees.
  HALFSTEP_HOST_DEVICE int seen(Index i, Index first, int count) const {
    const Index seen = in.p.seen(i) - first;
    return seen < 0 ? 0 : static_cast<int>(smaller(seen, count));
  }
};

template <class T>
bool has_aligned_inputs(const AttentionInputs<T, float>& in) {
  const AttentionProblem& p = in.p;
  return has_aligned_rows(in.q, p.q, p.width) && has_aligned_rows(in.k, p.k, p.width) &&
         has_aligned_rows(in.v, p.v, p.width) && has_aligned_rows(in.upstream, p.y, p.width);
}

/// Y and log_sum of 64 queries of a head, in one pass: what was summed so far is scaled down when a
/// larger score comes (a first pass for the largest would cost half the products once more).
template <int Width, class T>
struct AttentionForwardKernel : AttentionOperands<Width, T> {
  using Base = AttentionOperands<Width, T>;
  using Base::tile;
  using typename Base::Tile;
  static constexpr int key_rows = Width == 64 ? 64 : 32;  ///< in shared memory
  static constexpr int step = 32;                         ///< whose scores are in registers
  static constexpr int pitch = row_pitch(Width);

  T* y;
  float* log_sum;

  GridSize grid() const {
    const AttentionProblem& p = this->in.p;
    return {p.batch * p.heads * rounded_up(p.queries, product_rows), product_threads};
  }

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const AttentionProblem& p = this->in.p;
    const Index row_tiles = rounded_up(p.queries, product_rows);
    const Index head = block.index() / row_tiles;
    const Index first = block.index() % row_tiles * product_rows;
    T* const queries = block.template shared<T, product_rows * pitch, 0>();
    T* const keys = block.template shared<T, key_rows * pitch, 1>();
    T* const values = block.template shared<T, key_rows * pitch, 2>();

    WarpTiles<Block, float, Base::columns> sums;
    sums.fill(block, 0.0f);
    typename Block::template PerThread<float> largest[2], total[2];
    block.own([&](int thread) {
      for (int row = 0; row < 2; ++row) {
        largest[row][thread] = -std::numeric_limits<float>::infinity();
        total[row][thread] = 0;
      }
    });
    copy_rows<product_rows, Width>(block, this->q(head), first, this->aligned, queries);
    const Index end = this->end_of_keys(first);
    for (Index first_key = 0; first_key < end; first_key += key_rows) {
      copy_rows<key_rows, Width>(block, this->k(head), first_key, this->aligned, keys);
      copy_rows<key_rows, Width>(block, this->v(head), first_key, this->aligned, values);
      block.barrier();
      for (int at = 0; at < key_rows && first_key + at < end; at += step) {
        WarpTiles<Block, float, step / tile> scores;
        scores.fill(block, 0.0f);
        multiply_by_rows<Width>(block, queries, keys + at * pitch, scores);
        to_weights(block, first, first_key + at, scores, largest, total, sums);
        add_weighted_rows<Width>(block, scores, values + at * pitch, sums);
      }
      block.barrier();
    }
    finish(block, head, first, largest, total, sums);
  }

 private:
  /// scores = exp(scale scores - the row's largest), and what was summed is scaled to that.
  HALFSTEP_CALLS_EITHER
  template <class Block, class PerThread>
  HALFSTEP_HOST_DEVICE void to_weights(Block& block, Index first, Index first_key,
                                       WarpTiles<Block, float, step / tile>& scores,
                                       PerThread (&largest)[2], PerThread (&total)[2],
                                       WarpTiles<Block, float, Base::columns>& sums) const {
    constexpr float none = -std::numeric_limits<float>::infinity();
    PerThread next[2];
    block.own([&](int thread) {
      const float scale = this->log2_scale();
      HALFSTEP_UNROLL
      for (int row = 0; row < 2; ++row) {
        const int seen = this->seen(first + this->row_of_block(thread, 2 * row), first_key, step);
        float most = none;
        HALFSTEP_UNROLL
        for (int n = 0; n < step / tile; ++n) {
          HALFSTEP_UNROLL
          for (int i = 0; i < Tile::per_row; ++i) {
            const int e = Tile::element(row, i);
            float& score = scores.tile[n][thread].of[e];
            score = n * tile + Tile::column(thread, e) < seen ? score * scale : none;
            most = Largest()(most, score);
          }
        }
        next[row][thread] = most;
      }
    });
    combine_warps<4>(block, next[0], Largest());
    combine_warps<4>(block, next[1], Largest());
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int row = 0; row < 2; ++row) {
        const float most = Largest()(largest[row][thread], next[row][thread]);
        // A row that has seen nothing, or -inf alone, has no weights yet.
        const float origin = most == none ? 0.0f : most;
        const float factor = std::exp2(largest[row][thread] - origin);
        float sum = 0;
        HALFSTEP_UNROLL
        for (int i = 0; i < Tile::per_row; ++i) {
          const int e = Tile::element(row, i);
          HALFSTEP_UNROLL
          for (int n = 0; n < step / tile; ++n) {
            float& score = scores.tile[n][thread].of[e];
            score = std::exp2(score - origin);
            sum += score;
          }
          HALFSTEP_UNROLL
          for (int d = 0; d < Base::columns; ++d) sums.tile[d][thread].of[e] *= factor;
        }
        largest[row][thread] = most;
        total[row][thread] = total[row][thread] * factor + sum;
      }
    });
  }
  HALFSTEP_CALLS_EITHER
  template <class Block, class PerThread>
  HALFSTEP_HOST_DEVICE void finish(Block& block, Index head, Index first,
                                   const PerThread (&largest)[2], PerThread (&total)[2],
                                   WarpTiles<Block, float, Base::columns>& sums) const {
    const AttentionProblem& p = this->in.p;
    combine_warps<4>(block, total[0], Sum());
    combine_warps<4>(block, total[1], Sum());
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int row = 0; row < 2; ++row) {
        const Index i = first + this->row_of_block(thread, 2 * row);
        if (thread % 4 == 0 && i < p.queries)
          log_sum[head * p.queries + i] =
              largest[row][thread] / Base::log2_e + std::log(total[row][thread]);
        const float factor = 1.0f / total[row][thread];
        HALFSTEP_UNROLL
        for (int d = 0; d < Base::columns; ++d) {
          HALFSTEP_UNROLL
          for (int n = 0; n < Tile::per_row; ++n)
            sums.tile[d][thread].of[Tile::element(row, n)] *= factor;
        }
      }
    });
    store_rows(block, sums, 1.0f, this->rows(y, p.y, p.queries, head), first, false);
  }
};

}  // namespace halfstep
