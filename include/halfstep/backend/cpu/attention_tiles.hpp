#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/numeric/packet_math.hpp>
#include <halfstep/ops/attention.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

// What attention does beside its products, a tile at a time. Rows in scratch memory are whole
// packets long: what is past the end of a row of numbers is zero there.

/// to = factor from, row by row, into scratch memory.
template <class T>
struct LoadRows {
  using Scalar = Compute<T>;
  Index rows;
  Index width;
  const T* from;
  Index from_row;
  Scalar factor;
  Scalar* to;
  Index to_row;

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    for (Index row = 0; row < rows; ++row) {
      for (Index i = 0; i < width; i += lanes<N>) {
        const auto count = static_cast<std::size_t>(width - i);
        store(load_partial<N>(from + row * from_row + i, count) * N(factor), to + row * to_row + i);
      }
      const Index whole = (width + lanes<N> - 1) / lanes<N> * lanes<N>;
      for (Index i = whole; i < to_row; i += lanes<N>) store(N(0.0f), to + row * to_row + i);
    }
  }
};

/// to = factor from, or to += factor from, row by row, out of scratch memory; row i also times
/// 1 / divisors[i] where there are any.
template <class T>
struct StoreRows {
  using Scalar = Compute<T>;
  Index rows;
  Index width;
  const Scalar* from;
  Index from_row;
  Scalar factor;
  const Scalar* divisors;
  T* to;
  Index to_row;
  bool accumulate;

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    for (Index row = 0; row < rows; ++row) {
      const N by(divisors == nullptr ? factor : factor / divisors[row]);
      for (Index i = 0; i < width; i += lanes<N>) {
        const auto count = static_cast<std::size_t>(width - i);
        T* const place = to + row * to_row + i;
        N value = load<N>(from + row * from_row + i) * by;
        if (accumulate) value = value + load_partial<N>(place, count);
        store_partial(value, place, count);
      }
    }
  }
};

/// sums[i] = a[i] . b[i], of rows in scratch memory.
template <class Scalar>
struct DotRows {
  Index rows;
  Index width;  ///< a multiple of widest_packet
  const Scalar* a;
  const Scalar* b;
  Scalar* sums;

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    for (Index row = 0; row < rows; ++row) {
      N total(0.0f);
      for (Index i = 0; i < width; i += lanes<N>)
        total = fma(load<N>(a + row * width + i), load<N>(b + row * width + i), total);
      sums[row] = static_cast<Scalar>(sum(total));
    }
  }
};

/// A tile of scores: where it lies, and which queries and keys are in it.
template <class Scalar>
struct ScoreTile {
  Scalar* scores;
  Index row_length;  ///< a multiple of widest_packet
  Index first_query;
  Index queries;
  Index first_key;
  Index keys;

  /// How many keys of the tile the row's query sees.
  Index seen(const AttentionProblem& p, Index row) const {
    return std::clamp<Index>(p.seen(first_query + row) - first_key, 0, keys);
  }
  Scalar* row(Index i) const { return scores + i * row_length; }
};

/// A packet of a row's numbers from column i on, `hidden` in those that are not below `seen`.
template <class N, class Scalar>
HALFSTEP_INLINE N load_seen(const Scalar* row, Index i, Index seen, Scalar hidden) {
  const N numbers = load<N>(row + i);
  const Bits<N> column = lane_index<N>() + Bits<N>(static_cast<std::uint32_t>(i));
  return select(column < Bits<N>(static_cast<std::uint32_t>(seen)), numbers, N(hidden));
}

/// Online softmax (Milakov, Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135, algorithm
/// 1): scores become exp(score - m) with m the row's largest so far, 0 where the query does not
/// see the key, and what was summed under the m before is multiplied by exp(before - m).
template <class Scalar>
struct OnlineSoftmax {
  static constexpr bool compute_bound = true;
  const AttentionProblem& p;
  ScoreTile<Scalar> tile;
  Scalar* largest;  ///< a row's m
  Scalar* sums;     ///< a row's sum of exp(score - m)
  Scalar* values;   ///< a row's sum of exp(score - m) v
  Index width;      ///< of a row of values, a multiple of widest_packet

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    constexpr Scalar lowest = -std::numeric_limits<Scalar>::infinity();
    for (Index row = 0; row < tile.queries; ++row) {
      Scalar* const scores = tile.row(row);
      const Index seen = tile.seen(p, row);
      const Scalar before = largest[row];
      N most(lowest);
      for (Index i = 0; i < tile.row_length; i += lanes<N>)
        most = max(most, load_seen<N>(scores, i, seen, lowest));
      // NaN where either is, so that a step with NaN is found.
      const Scalar now = max(before, static_cast<Scalar>(max(most)));
      if (seen > 0 && now != before) {
        // Nothing was summed under an m of -inf.
        if (before != lowest) scale_row<N>(row, std::exp(before - now));
        largest[row] = now;
      }
      N total(0.0f);
      for (Index i = 0; i < tile.row_length; i += lanes<N>) {
        N probability(0.0f);
        if (i < seen) probability = exp(load_seen<N>(scores, i, seen, lowest) - N(now));
        total = total + probability;
        store(probability, scores + i);
      }
      sums[row] += static_cast<Scalar>(sum(total));
    }
  }

 private:
  template <class N>
  HALFSTEP_INLINE void scale_row(Index row, Scalar factor) const {
    sums[row] *= factor;
    for (Index i = 0; i < width; i += lanes<N>) {
      Scalar* const value = values + row * width + i;
      store(load<N>(value) * N(factor), value);
    }
  }
};

/// Scores become probabilities P = exp(score - log_sum), and G V^T becomes
/// dS = P (G V^T - shared); both 0 where the query does not see the key.
template <class Scalar>
struct AttentionSlopes {
  static constexpr bool compute_bound = true;
  const AttentionProblem& p;
  ScoreTile<Scalar> tile;
  ScoreTile<Scalar> slopes;
  const Scalar* log_sum;
  const Scalar* shared;  ///< a row's g . y

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    constexpr Scalar lowest = -std::numeric_limits<Scalar>::infinity();
    for (Index row = 0; row < tile.queries; ++row) {
      const Index seen = tile.seen(p, row);
      Scalar* const scores = tile.row(row);
      Scalar* const slope = slopes.row(row);
      for (Index i = 0; i < tile.row_length; i += lanes<N>) {
        N probability(0.0f);
        N product(0.0f);
        if (i < seen) {
          probability = exp(load_seen<N>(scores, i, seen, lowest) - N(log_sum[row]));
          product = probability * (load_seen<N>(slope, i, seen, Scalar(0)) - N(shared[row]));
        }
        store(probability, scores + i);
        store(product, slope + i);
      }
    }
  }
};

}  // namespace halfstep
