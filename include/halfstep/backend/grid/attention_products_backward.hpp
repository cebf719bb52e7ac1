#pragma once

#include <halfstep/backend/grid/attention_products.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// What both backward kernels do: with P = exp(scale Q K^T - log_sum),
/// dS = P (G V^T - rowsum(G Y)), which the sums leave to be scaled at the end.
template <int Width, class T>
struct AttentionBackward : AttentionOperands<Width, T> {
  using Base = AttentionOperands<Width, T>;
  /// Rows of the other side in a tile: beside two operands of the own rows, all that fits.
  static constexpr int step = Width == 64 ? 32 : 16;
  static constexpr int stages = Width == 64 ? 2 : 1;
  /// Whether registers hold the left operands beside the sums (of keys, which have two, the one).
  static constexpr bool kept = Width == 64;
  static constexpr int step_tiles = step / Base::tile;
  static constexpr int pitch = row_pitch(Width);

  template <class Block>
  HALFSTEP_HOST_DEVICE float probability(float score, float log2_sum) const {
    return Block::exp2(score * this->log2_scale() - log2_sum);
  }
  static HALFSTEP_HOST_DEVICE float slope(float probability, float product, float shared) {
    return probability * (product - shared);
  }
  GridSize grid_of(Index rows) const {
    return {this->in.p.batch * this->in.p.heads * rounded_up(rows, product_rows), product_threads};
  }
};

/// dQ = scale dS K of 64 queries of a head.
template <int Width, class T>
struct AttentionQueryGradientKernel : AttentionBackward<Width, T> {
  using Base = AttentionBackward<Width, T>;
  using Base::tile, Base::pitch, Base::step, Base::stages, Base::step_tiles, Base::kept;
  using typename Base::Tile;

  T* out;
  bool accumulate;

  GridSize grid() const { return this->grid_of(this->in.p.queries); }

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const AttentionProblem& p = this->in.p;
    const Index row_tiles = rounded_up(p.queries, product_rows);
    const Index head = block.index() / row_tiles;
    const Index first = block.index() % row_tiles * product_rows;
    T* const queries = block.template shared<T, product_rows * pitch, 0>();
    T* const upstream = block.template shared<T, product_rows * pitch, 1>();
    T* const keys = block.template shared<T, stages * step * pitch, 2>();
    T* const values = block.template shared<T, stages * step * pitch, 3>();

    start_rows<product_rows, Width>(block, this->q(head), first, queries);
    start_rows<product_rows, Width>(block, this->upstream(head), first, upstream);
    WarpTiles<Block, float, Base::columns> sums;
    sums.fill(block, 0.0f);
    typename Block::template PerThread<float> log2_sum[2], shared[2];
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int row = 0; row < 2; ++row) {
        const Index i = first + this->row_of_block(thread, Tile::element(row, 0));
        log2_sum[row][thread] = this->log2_sum(head, i);
        shared[row][thread] = this->shared(head, i);
      }
    });
    block.await_copies();
    block.barrier();
    LeftRows<Block, T, Width, kept> left, left_upstream;
    left.open(block, queries);
    left_upstream.open(block, upstream);
    for_each_tile<step, stages>(
        block, 0, this->end_of_keys(first),
        [&](Index key, int stage) {
          start_rows<step, Width>(block, this->k(head), key, keys + stage * step * pitch);
          start_rows<step, Width>(block, this->v(head), key, values + stage * step * pitch);
        },
        [&](Index key, int stage) {
          WarpTiles<Block, float, step_tiles> slopes, products;
          slopes.fill(block, 0.0f);
          products.fill(block, 0.0f);
          left.multiply(block, keys + stage * step * pitch, slopes);
          left_upstream.multiply(block, values + stage * step * pitch, products);
          block.own([&](int thread) {
            HALFSTEP_UNROLL
            for (int n = 0; n < step_tiles; ++n) {
              HALFSTEP_UNROLL
              for (int e = 0; e < Tile::per_lane; ++e) {
                float& score = slopes.tile[n][thread].of[e];
                const int row = e / 2 % 2;
                score = this->slope(this->template probability<Block>(score, log2_sum[row][thread]),
                                    products.tile[n][thread].of[e], shared[row][thread]);
              }
            }
          });
          this->mask(block, first, key, 0.0f, slopes);
          add_weighted_rows<Width>(block, slopes, keys + stage * step * pitch, sums);
        });
    store_rows(block, sums, static_cast<float>(p.scale), this->rows(out, p.q, p.queries, head),
               first, accumulate);
  }
};

/// dK = scale dS^T Q and dV = P^T G of 64 keys of a head.
template <int Width, class T>
struct AttentionKeyGradientKernel : AttentionBackward<Width, T> {
  using Base = AttentionBackward<Width, T>;
  using Base::tile, Base::pitch, Base::step, Base::stages, Base::step_tiles, Base::kept;
  using typename Base::Tile;

  T* of_keys;
  T* of_values;
  bool add_to_keys;
  bool add_to_values;

  GridSize grid() const { return this->grid_of(this->in.p.keys); }

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const AttentionProblem& p = this->in.p;
    const Index row_tiles = rounded_up(p.keys, product_rows);
    const Index head = block.index() / row_tiles;
    const Index first = block.index() % row_tiles * product_rows;
    T* const keys = block.template shared<T, product_rows * pitch, 0>();
    T* const values = block.template shared<T, product_rows * pitch, 1>();
    T* const queries = block.template shared<T, stages * step * pitch, 2>();
    T* const upstream = block.template shared<T, stages * step * pitch, 3>();
    float* const log2_sum = block.template shared<float, stages * step, 4>();
    float* const shared = block.template shared<float, stages * step, 5>();

    start_rows<product_rows, Width>(block, this->k(head), first, keys);
    start_rows<product_rows, Width>(block, this->v(head), first, values);
    WarpTiles<Block, float, Base::columns> key_sums, value_sums;
    key_sums.fill(block, 0.0f);
    value_sums.fill(block, 0.0f);
    block.await_copies();
    block.barrier();
    LeftRows<Block, T, Width, kept> left;
    LeftRows<Block, T, Width, false> left_values;
    left.open(block, keys);
    left_values.open(block, values);
    // The first query that sees a key is the one beside it.
    for_each_tile<step, stages>(
        block, p.causal ? first / step * step : 0, p.queries,
        [&](Index query, int stage) {
          start_rows<step, Width>(block, this->q(head), query, queries + stage * step * pitch);
          start_rows<step, Width>(block, this->upstream(head), query,
                                  upstream + stage * step * pitch);
          block.own([&](int thread) {
            if (thread >= step) return;
            log2_sum[stage * step + thread] = this->log2_sum(head, query + thread);
            shared[stage * step + thread] = this->shared(head, query + thread);
          });
        },
        [&](Index query, int stage) {
          const int at = stage * step;
          WarpTiles<Block, float, step_tiles> weights, products;
          weights.fill(block, 0.0f);
          left.multiply(block, queries + at * pitch, weights);
          block.own([&](int thread) {
            HALFSTEP_UNROLL
            for (int n = 0; n < step_tiles; ++n) {
              HALFSTEP_UNROLL
              for (int e = 0; e < Tile::per_lane; ++e) {
                float& score = weights.tile[n][thread].of[e];
                score = this->template probability<Block>(
                    score, log2_sum[at + n * tile + Tile::column(thread, e)]);
              }
            }
          });
          this->template mask<true>(block, first, query, 0.0f, weights);
          add_weighted_rows<Width>(block, weights, upstream + at * pitch, value_sums);
          products.fill(block, 0.0f);
          left_values.multiply(block, upstream + at * pitch, products);
          block.own([&](int thread) {
            HALFSTEP_UNROLL
            for (int n = 0; n < step_tiles; ++n) {
              HALFSTEP_UNROLL
              for (int e = 0; e < Tile::per_lane; ++e) {
                float& weight = weights.tile[n][thread].of[e];
                weight = this->slope(weight, products.tile[n][thread].of[e],
                                     shared[at + n * tile + Tile::column(thread, e)]);
              }
            }
          });
          add_weighted_rows<Width>(block, weights, queries + at * pitch, key_sums);
        });
    if (of_keys != nullptr)
      store_rows(block, key_sums, static_cast<float>(p.scale),
                 this->rows(of_keys, p.k, p.keys, head), first, add_to_keys);
    if (of_values != nullptr)
      store_rows(block, value_sums, 1.0f, this->rows(of_values, p.v, p.keys, head), first,
                 add_to_values);
  }
};

}  // namespace halfstep
