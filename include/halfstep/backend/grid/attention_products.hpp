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
// Scores are scaled by log2(e) too, so that exp is exp2. Sums are in FP32; weights (at most 1) and
// their gradients dS / scale are rounded to T. One beyond FP16's 65504 is inf there, as a gradient
// of that size would be: the loss scale is lowered.

/// The larger; of NaN and a number the number, for a score's NaN comes back from its weight.
struct LargestNumber {
  HALFSTEP_HOST_DEVICE float operator()(float a, float b) const { return std::fmax(a, b); }
};

/// What one kernel knows of its block's head, and of Width columns.
template <int Width, class T>
struct AttentionOperands {
  using Tile = WarpTile<float>;
  static constexpr int tile = Tile::size;
  static constexpr int columns = Width / tile;
  static constexpr float log2_e = 1.44269504088896340736f, ln_2 = 0.69314718055994530942f;

  AttentionInputs<T, float> in;
  bool aligned;  ///< all rows that it reads and writes

  template <class Data>
  HALFSTEP_HOST_DEVICE MatrixRows<Data> rows(Data* data, const HeadStrides& by, Index count,
                                             Index head) const {
    return {data + by(head / in.p.heads, head % in.p.heads), by.time, count, in.p.width, aligned};
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
  /// scores = value where a query of the block does not see a key: rows are queries from `first`
  /// on, columns `Tiles` x 16 keys from `first_key` on, or the other way round.
  HALFSTEP_CALLS_EITHER
  template <bool OfKeys = false, int Tiles, class Block>
  HALFSTEP_HOST_DEVICE void mask(Block& block, Index first, Index first_column, float value,
                                 WarpTiles<Block, float, Tiles>& scores) const {
    const Index last_row = first + product_rows - 1, last_column = first_column + Tiles * tile - 1;
    const AttentionProblem& p = in.p;
    const bool ends = last_column >= (OfKeys ? p.queries : p.keys);
    if (!ends && !(p.causal && (OfKeys ? first_column < last_row : last_column > first))) return;
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int n = 0; n < Tiles; ++n) {
        HALFSTEP_UNROLL
        for (int e = 0; e < Tile::per_lane; ++e) {
          const Index row = first + row_of_block(thread, e);
          const Index column = first_column + n * tile + Tile::column(thread, e);
          const Index i = OfKeys ? column : row, j = OfKeys ? row : column;
          if ((p.causal && j > i) || column >= (OfKeys ? p.queries : p.keys))
            scores.tile[n][thread].of[e] = value;
        }
      }
    });
  }
};

/// Y and log_sum of 64 queries of a head, in one pass: what was summed so far is scaled down when a
/// larger score comes (a first pass for the largest would cost half the products once more).
template <int Width, class T>
struct AttentionForwardKernel : AttentionOperands<Width, T> {
  using Base = AttentionOperands<Width, T>;
  using Base::tile;
  using typename Base::Tile;
  static constexpr int step = 32;  ///< keys of a tile
  static constexpr int stages = Width == 64 ? 2 : 1;
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
    T* const keys = block.template shared<T, stages * step * pitch, 1>();
    T* const values = block.template shared<T, stages * step * pitch, 2>();

    WarpTiles<Block, float, Base::columns> sums;
    sums.fill(block, 0.0f);
    typename Block::template PerThread<float> largest[2], total[2];
    block.own([&](int thread) {
      for (int row = 0; row < 2; ++row) {
        largest[row][thread] = -std::numeric_limits<float>::infinity();
        total[row][thread] = 0;
      }
    });
    start_rows<product_rows, Width>(block, this->q(head), first, queries);
    block.await_copies();
    block.barrier();
    LeftRows<Block, T, Width, true> left;
    left.open(block, queries);
    for_each_tile<step, stages>(
        block, 0, this->end_of_keys(first),
        [&](Index key, int stage) {
          start_rows<step, Width>(block, this->k(head), key, keys + stage * step * pitch);
          start_rows<step, Width>(block, this->v(head), key, values + stage * step * pitch);
        },
        [&](Index key, int stage) {
          WarpTiles<Block, float, step / tile> scores;
          scores.fill(block, 0.0f);
          left.multiply(block, keys + stage * step * pitch, scores);
          this->mask(block, first, key, -std::numeric_limits<float>::infinity(), scores);
          to_weights(block, scores, largest, total, sums);
          add_weighted_rows<Width>(block, scores, values + stage * step * pitch, sums);
        });
    finish(block, head, first, largest, total, sums);
  }

 private:
  /// scores = exp(scale (scores - the row's largest)), and what was summed is scaled to that.
  HALFSTEP_CALLS_EITHER
  template <class Block, class PerThread>
  HALFSTEP_HOST_DEVICE void to_weights(Block& block, WarpTiles<Block, float, step / tile>& scores,
                                       PerThread (&largest)[2], PerThread (&total)[2],
                                       WarpTiles<Block, float, Base::columns>& sums) const {
    constexpr float none = -std::numeric_limits<float>::infinity();
    PerThread next[2];
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int row = 0; row < 2; ++row) {
        float most = none;
        HALFSTEP_UNROLL
        for (int n = 0; n < step / tile; ++n) {
          HALFSTEP_UNROLL
          for (int m = 0; m < Tile::per_row; ++m)
            most = std::fmax(most, scores.tile[n][thread].of[Tile::element(row, m)]);
        }
        next[row][thread] = most;
      }
    });
    combine_warps<4>(block, next[0], LargestNumber());
    combine_warps<4>(block, next[1], LargestNumber());
    block.own([&](int thread) {
      const float scale = this->log2_scale();
      HALFSTEP_UNROLL
      for (int row = 0; row < 2; ++row) {
        const float most = std::fmax(largest[row][thread], next[row][thread] * scale);
        // A row that has seen nothing, or -inf alone, has no weights yet.
        const float origin = most == none ? 0.0f : most;
        const float factor = Block::exp2(largest[row][thread] - origin);
        float sum = 0;
        HALFSTEP_UNROLL
        for (int n = 0; n < step / tile; ++n) {
          HALFSTEP_UNROLL
          for (int m = 0; m < Tile::per_row; ++m) {
            float& score = scores.tile[n][thread].of[Tile::element(row, m)];
            score = Block::exp2(score * scale - origin);
            sum += score;
          }
        }
        largest[row][thread] = most;
        total[row][thread] = total[row][thread] * factor + sum;
        // Most tiles have no larger score than those before.
        if (factor == 1.0f) continue;
        HALFSTEP_UNROLL
        for (int d = 0; d < Base::columns; ++d) {
          HALFSTEP_UNROLL
          for (int m = 0; m < Tile::per_row; ++m)
            sums.tile[d][thread].of[Tile::element(row, m)] *= factor;
        }
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
              largest[row][thread] * Base::ln_2 + std::log(total[row][thread]);
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
