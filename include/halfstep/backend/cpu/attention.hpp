#pragma once

#include <halfstep/backend/cpu/attention_products.hpp>
#include <halfstep/backend/cpu/attention_tiles.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

// A thread takes one head at a time and goes through its scores in tiles of a few queries by some
// keys, so that what stands in memory grows with the length of the sequence and not with its
// square. (FlashAttention: Dao et al., arXiv 2205.14135, algorithms 1 and 4)
//
// Who multiplies is a parameter: AttentionProducts here, a vendor's library in its backend.

/// Calls body(tile) for the tiles of keys that some of `count` queries from `first` on see.
template <class Body>
void for_each_key_tile(const AttentionProblem& p, Index key_tile, Index first, Index count,
                       const Body& body) {
  const Index end = p.seen(first + count - 1);
  for (Index key = 0; key < end; key += key_tile) {
    const Index keys = std::min(key_tile, end - key);
    body(ScoreTile{whole_packets(keys), first, count, key, keys});
  }
}

template <class Products, class T>
void attention_head(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
                    Compute<T>* log_sum) {
  using Scalar = Compute<T>;
  constexpr Index most = Products::query_tile;
  const Index row = whole_packets(p.width);
  const Index area = most * whole_packets(std::min(Products::key_tile, p.keys));
  const Products products(p.width);
  typename Products::Columns keys(products, p.keys);
  typename Products::Rows values(products, p.keys), queries(products, most);
  Tensor<Scalar> scores(Shape{area}), sums_of_values(Shape{most * row}), largest(Shape{most}),
      sums(Shape{most});
  Tensor<typename Products::Weight> weights(Shape{area});
  keys.load(p.keys, k, p.k.time);
  values.load(p.keys, v, p.v.time);
  for (Index first = 0; first < p.queries; first += most) {
    const Index count = std::min(most, p.queries - first);
    queries.load(count, q + first * p.q.time, p.q.time);
    std::fill_n(sums_of_values.data(), count * row, Scalar(0));
    std::fill_n(largest.data(), count, -std::numeric_limits<Scalar>::infinity());
    std::fill_n(sums.data(), count, Scalar(0));
    for_each_key_tile(p, Products::key_tile, first, count, [&](const ScoreTile& tile) {
      products.to_scores(tile, queries, keys, scores.data());
      run_as<Scalar>(OnlineSoftmax<Scalar, typename Products::Weight>{
          p, tile, scores.data(), weights.data(), largest.data(), sums.data(),
          sums_of_values.data(), row});
      products.to_queries(tile, weights.data(), values, sums_of_values.data());
    });
    run_as<Scalar>(StoreRows<T>{count, p.width, sums_of_values.data(), row, sums.data(),
                                y + first * p.y.time, p.y.time, false});
    for (Index i = 0; i < count; ++i)
      log_sum[first + i] = largest.data()[i] + std::log(sums.data()[i]);
  }
}

template <class Products, class T>
void attention_backward_head(const AttentionProblem& p, const T* q, const T* k, const T* v,
                             const T* y, const Compute<T>* log_sum, const T* upstream,
                             const AttentionGradients<T>& to) {
  using Scalar = Compute<T>;
  using Weight = typename Products::Weight;
  constexpr Index most = Products::query_tile;
  const Index row = whole_packets(p.width);
  const Index area = most * whole_packets(std::min(Products::key_tile, p.keys));
  const Products products(p.width);
  typename Products::Columns keys(products, p.keys), values(products, p.keys);
  typename Products::Rows key_rows(products, p.keys), queries(products, most),
      gradients(products, most);
  Tensor<Scalar> scores(Shape{area}), from_values(Shape{area}), shared(Shape{most}),
      to_q(Shape{most * row}), to_k(Shape{p.keys * row}), to_v(Shape{p.keys * row});
  Tensor<Weight> weights(Shape{area}), slopes(Shape{area});
  keys.load(p.keys, k, p.k.time);
  values.load(p.keys, v, p.v.time);
  key_rows.load(p.keys, k, p.k.time);
  std::fill_n(to_k.data(), p.keys * row, Scalar(0));
  std::fill_n(to_v.data(), p.keys * row, Scalar(0));
  const auto store = [&](T* into, bool add, const Tensor<Scalar>& from, Index rows, Index time) {
    if (into != nullptr)
      run_as<Scalar>(StoreRows<T>{rows, p.width, from.data(), row, nullptr, into, time, add});
  };
  for (Index first = 0; first < p.queries; first += most) {
    const Index count = std::min(most, p.queries - first);
    const T* const upstream_rows = upstream + first * p.y.time;
    queries.load(count, q + first * p.q.time, p.q.time);
    gradients.load(count, upstream_rows, p.y.time);
    run_as<Scalar>(
        DotRows<T>{count, p.width, upstream_rows, y + first * p.y.time, p.y.time, shared.data()});
    std::fill_n(to_q.data(), count * row, Scalar(0));
    for_each_key_tile(p, Products::key_tile, first, count, [&](const ScoreTile& tile) {
      products.to_scores(tile, queries, keys, scores.data());
      products.to_scores(tile, gradients, values, from_values.data());
      run_as<Scalar>(AttentionSlopes<Scalar, Weight>{p, tile, scores.data(), from_values.data(),
                                                     weights.data(), slopes.data(), log_sum + first,
                                                     shared.data()});
      if (to.v != nullptr) products.to_keys(tile, weights.data(), gradients, to_v.data());
      if (to.k != nullptr) products.to_keys(tile, slopes.data(), queries, to_k.data());
      if (to.q != nullptr) products.to_queries(tile, slopes.data(), key_rows, to_q.data());
    });
    store(to.q == nullptr ? nullptr : to.q + first * p.q.time, to.add_q, to_q, count, p.q.time);
  }
  store(to.k, to.add_k, to_k, p.keys, p.k.time);
  store(to.v, to.add_v, to_v, p.keys, p.v.time);
}

/// See ops/backend.hpp for the functions below.
/// @tparam Products  who multiplies
template <class Products, class T>
void attention(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
               Compute<T>* log_sum) {
  parallel_for(p.batch * p.heads, 1, [&](Index at, Index) {
    const Index b = at / p.heads, h = at % p.heads;
    attention_head<Products>(p, q + p.q(b, h), k + p.k(b, h), v + p.v(b, h), y + p.y(b, h),
                             log_sum + at * p.queries);
  });
}
template <class Products, class T>
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
    attention_backward_head<Products>(p, q + p.q(b, h), k + p.k(b, h), v + p.v(b, h), y + p.y(b, h),
                                      log_sum + at * p.queries, upstream + p.y(b, h), own);
  });
}

}  // namespace halfstep
