#pragma once

#include <halfstep/backend/cpu/attention_tiles.hpp>
#include <halfstep/backend/cpu/small_product.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <array>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

// A thread takes one head at a time and goes through its scores in tiles of a few queries by some
// keys, so that what stands in memory grows with the length of the sequence and not with its
// square. (FlashAttention: Dao et al., arXiv 2205.14135, algorithms 1 and 4)

inline constexpr Index query_tile = 32;
inline constexpr Index key_tile = 128;

inline Index whole_packets(Index n) {
  return (n + widest_packet - 1) / widest_packet * widest_packet;
}

/// A head's scratch memory, in one piece.
template <class Scalar, std::size_t Count>
class ScratchArrays {
 public:
  explicit ScratchArrays(const std::array<Index, Count>& sizes) {
    Index total = 0;
    for (std::size_t i = 0; i < Count; ++i) {
      begin_[i] = total;
      total += whole_packets(sizes[i]);
    }
    memory_ = Tensor<Scalar>(Shape{total});
  }
  Scalar* operator[](std::size_t i) { return memory_.data() + begin_[i]; }

 private:
  std::array<Index, Count> begin_{};
  Tensor<Scalar> memory_;
};

/// columns = rows^T: [rows, row_length] to [row_length, columns_length], a packet's worth of rows
/// at a time; what is past the rows is zero.
template <class Scalar>
void transpose_rows(Index rows, Index row_length, const Scalar* from, Index column_length,
                    Scalar* to) {
  for (Index first = 0; first < column_length; first += widest_packet)
    for (Index i = 0; i < row_length; ++i)
      for (Index row = first; row < first + widest_packet; ++row)
        to[i * column_length + row] = row < rows ? from[row * row_length + i] : Scalar(0);
}

/// A tile's products, sizes in whole packets.
template <class Scalar>
class AttentionProducts {
 public:
  AttentionProducts(Index width, Index row_length) : width_(width), row_length_(row_length) {}

  /// scores = rows columns, with the keys' numbers as columns.
  void scores(const ScoreTile<Scalar>& tile, const Scalar* rows, const Scalar* columns,
              Index keys) const {
    run(SmallProduct<Scalar>{tile.queries, whole_packets(tile.keys), width_, rows, row_length_, 1,
                             columns + tile.first_key, keys, tile.scores, tile.row_length, false});
  }
  /// into += tile by_keys: a row for each query.
  void to_queries(const ScoreTile<Scalar>& tile, const Scalar* by_keys, Scalar* into) const {
    run(SmallProduct<Scalar>{tile.queries, row_length_, tile.keys, tile.scores, tile.row_length, 1,
                             by_keys + tile.first_key * row_length_, row_length_, into, row_length_,
                             true});
  }
  /// into += tile^T by_queries: a row for each key.
  void to_keys(const ScoreTile<Scalar>& tile, const Scalar* by_queries, Scalar* into) const {
    run(SmallProduct<Scalar>{tile.keys, row_length_, tile.queries, tile.scores, 1, tile.row_length,
                             by_queries, row_length_, into + tile.first_key * row_length_,
                             row_length_, true});
  }

 private:
  static void run(const SmallProduct<Scalar>& product) { run_as<Scalar>(product); }

  Index width_;
  Index row_length_;
};

/// Calls body(tile) for the tiles of keys that some query of `tile` sees.
template <class Scalar, class Body>
void for_each_key_tile(const AttentionProblem& p, ScoreTile<Scalar> tile, const Body& body) {
  const Index end = p.seen(tile.first_query + tile.queries - 1);
  for (tile.first_key = 0; tile.first_key < end; tile.first_key += key_tile) {
    tile.keys = std::min(key_tile, end - tile.first_key);
    tile.row_length = whole_packets(tile.keys);
    body(tile);
  }
}

template <class T>
void attention_head(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
                    Compute<T>* log_sum) {
  using Scalar = Compute<T>;
  const Index row = whole_packets(p.width), keys = whole_packets(p.keys);
  ScratchArrays<Scalar, 7> scratch({p.keys * row, row * keys, query_tile * row, query_tile * row,
                                    query_tile * key_tile, query_tile, query_tile});
  Scalar *const values = scratch[0], *const key_columns = scratch[1], *const queries = scratch[2],
                *const sums_of_values = scratch[3], *const scores = scratch[4],
                *const largest = scratch[5], *const sums = scratch[6];
  const AttentionProducts<Scalar> products(p.width, row);

  run_as<Scalar>(LoadRows<T>{p.keys, p.width, k, p.k.time, Scalar(1), values, row});
  transpose_rows(p.keys, row, values, keys, key_columns);
  run_as<Scalar>(LoadRows<T>{p.keys, p.width, v, p.v.time, Scalar(1), values, row});
  for (Index first = 0; first < p.queries; first += query_tile) {
    const Index count = std::min(query_tile, p.queries - first);
    run_as<Scalar>(LoadRows<T>{count, p.width, q + first * p.q.time, p.q.time,
                               static_cast<Scalar>(p.scale), queries, row});
    std::fill_n(sums_of_values, count * row, Scalar(0));
    std::fill_n(largest, count, -std::numeric_limits<Scalar>::infinity());
    std::fill_n(sums, count, Scalar(0));
    for_each_key_tile(p, ScoreTile<Scalar>{scores, 0, first, count, 0, 0}, [&](const auto& tile) {
      products.scores(tile, queries, key_columns, keys);
      run_as<Scalar>(OnlineSoftmax<Scalar>{p, tile, largest, sums, sums_of_values, row});
      products.to_queries(tile, values, sums_of_values);
    });
    run_as<Scalar>(StoreRows<T>{count, p.width, sums_of_values, row, Scalar(1), sums,
                                y + first * p.y.time, p.y.time, false});
    for (Index i = 0; i < count; ++i) log_sum[first + i] = largest[i] + std::log(sums[i]);
  }
}

template <class T>
void attention_backward_head(const AttentionProblem& p, const T* q, const T* k, const T* v,
                             const T* y, const Compute<T>* log_sum, const T* upstream,
                             const AttentionGradients<T>& to) {
  using Scalar = Compute<T>;
  const Index row = whole_packets(p.width), keys = whole_packets(p.keys);
  ScratchArrays<Scalar, 11> scratch({p.keys * row, row * keys, row * keys, p.keys * row,
                                     p.keys * row, p.queries * row, query_tile * row,
                                     query_tile * row, query_tile * key_tile, query_tile * key_tile,
                                     query_tile});
  Scalar *const key_rows = scratch[0], *const key_columns = scratch[1],
                *const value_columns = scratch[2], *const to_k = scratch[3],
                *const to_v = scratch[4], *const to_q = scratch[5], *const queries = scratch[6],
                *const gradients = scratch[7], *const scores = scratch[8],
                *const slopes = scratch[9], *const shared = scratch[10];
  const AttentionProducts<Scalar> products(p.width, row);

  run_as<Scalar>(LoadRows<T>{p.keys, p.width, v, p.v.time, Scalar(1), key_rows, row});
  transpose_rows(p.keys, row, key_rows, keys, value_columns);
  run_as<Scalar>(LoadRows<T>{p.keys, p.width, k, p.k.time, Scalar(1), key_rows, row});
  transpose_rows(p.keys, row, key_rows, keys, key_columns);
  std::fill_n(to_k, p.keys * row, Scalar(0));
  std::fill_n(to_v, p.keys * row, Scalar(0));
  std::fill_n(to_q, p.queries * row, Scalar(0));
  for (Index first = 0; first < p.queries; first += query_tile) {
    const Index count = std::min(query_tile, p.queries - first);
    run_as<Scalar>(
        LoadRows<T>{count, p.width, y + first * p.y.time, p.y.time, Scalar(1), queries, row});
    run_as<Scalar>(LoadRows<T>{count, p.width, upstream + first * p.y.time, p.y.time, Scalar(1),
                               gradients, row});
    run_as<Scalar>(DotRows<Scalar>{count, row, gradients, queries, shared});
    run_as<Scalar>(LoadRows<T>{count, p.width, q + first * p.q.time, p.q.time,
                               static_cast<Scalar>(p.scale), queries, row});
    for_each_key_tile(p, ScoreTile<Scalar>{scores, 0, first, count, 0, 0}, [&](const auto& tile) {
      ScoreTile<Scalar> slope = tile;
      slope.scores = slopes;
      products.scores(tile, queries, key_columns, keys);
      products.scores(slope, gradients, value_columns, keys);
      run_as<Scalar>(AttentionSlopes<Scalar>{p, tile, slope, log_sum + first, shared});
      if (to.v != nullptr) products.to_keys(tile, gradients, to_v);
      if (to.k != nullptr) products.to_keys(slope, queries, to_k);
      if (to.q != nullptr) products.to_queries(slope, key_rows, to_q + first * row);
    });
  }
  const auto store = [&](T* into, bool add, const Scalar* from, Index rows, Index time,
                         Scalar factor) {
    if (into != nullptr)
      run_as<Scalar>(StoreRows<T>{rows, p.width, from, row, factor, nullptr, into, time, add});
  };
  // The queries bring their factor into dK already.
  store(to.q, to.add_q, to_q, p.queries, p.q.time, static_cast<Scalar>(p.scale));
  store(to.k, to.add_k, to_k, p.keys, p.k.time, Scalar(1));
  store(to.v, to.add_v, to_v, p.keys, p.v.time, Scalar(1));
}

/// See ops/backend.hpp for the functions below.
template <class T>
void attention(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
               Compute<T>* log_sum) {
  parallel_for(p.batch * p.heads, 1, [&](Index at, Index) {
    const Index b = at / p.heads, h = at % p.heads;
    attention_head(p, q + p.q(b, h), k + p.k(b, h), v + p.v(b, h), y + p.y(b, h),
                   log_sum + at * p.queries);
  });
}
template <class T>
void attention_backward(const AttentionProblem& p, const T* q, const T* k, const T* v, const T* y,
                        const Compute<T>* log_sum, const T* upstream,
                        const AttentionGradients<T>& to) {
  const auto part = [](T* into, Index offset) { return into == nullptr ? into : into + offset; };
  parallel_for(p.batch * p.heads, 1, [&](Index at, Index) {
    const Index b = at / p.heads, h = at % p.heads;
    AttentionGradients<T> own = to;
    own.q = part(to.q, p.q(b, h));
    own.k = part(to.k, p.k(b, h));
    own.v = part(to.v, p.v(b, h));
    attention_backward_head(p, q + p.q(b, h), k + p.k(b, h), v + p.v(b, h), y + p.y(b, h),
                            log_sum + at * p.queries, upstream + p.y(b, h), own);
  });
}

}  // namespace halfstep
