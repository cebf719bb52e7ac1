#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/numeric/packet_math.hpp>
#include <halfstep/ops/attention.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

// What attention does beside its products, a tile at a time. Rows in scratch memory are whole
// packets long.

/// to = from, row by row, into scratch memory.
template <class T>
struct LoadRows {
  static constexpr bool compute_bound = true;
  Index rows;
  Index width;
  const T* from;
  Index from_row;
  Compute<T>* to;
  Index to_row;

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    for (Index row = 0; row < rows; ++row) {
      for (Index i = 0; i < width; i += lanes<N>) {
        const auto count = static_cast<std::size_t>(width - i);
        store(load_partial<N>(from + row * from_row + i, count), to + row * to_row + i);
      }
      const Index whole = (width + lanes<N> - 1) / lanes<N> * lanes<N>;
      for (Index i = whole; i < to_row; i += lanes<N>) store(N(0.0f), to + row * to_row + i);
    }
  }
};

/// to = from, or to += from, row by row, out of scratch memory; row i times 1 / divisors[i] where
/// there are any.
template <class T>
struct StoreRows {
  using Scalar = Compute<T>;
  static constexpr bool compute_bound = true;
  Index rows;
  Index width;
  const Scalar* from;
  Index from_row;
  const Scalar* divisors;
  T* to;
  Index to_row;
  bool accumulate;

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    for (Index row = 0; row < rows; ++row) {
      const N by(divisors == nullptr ? Scalar(1) : Scalar(1) / divisors[row]);
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

/// sums[i] = a[i] . b[i], of rows that lie alike.
template <class T>
struct DotRows {
  using Scalar = Compute<T>;
  static constexpr bool compute_bound = true;
  Index rows;
  Index width;
  const T* a;
  const T* b;
  Index row_length;
  Scalar* sums;

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    for (Index row = 0; row < rows; ++row) {
      N total(0.0f);
      for (Index i = 0; i < width; i += lanes<N>) {
        const auto count = static_cast<std::size_t>(width - i);
        const Index at = row * row_length + i;
        total = fma(load_partial<N>(a + at, count), load_partial<N>(b + at, count), total);
      }
      sums[row] = static_cast<Scalar>(sum(total));
    }
  }
};

/// A tile of scores: which queries and keys are in it.
struct ScoreTile {
  Index row_length;  ///< in memory, a multiple of widest_packet
  Index first_query;
  Index queries;
  Index first_key;
  Index keys;

  /// How many keys of the tile the row's query sees.
  Index seen(const AttentionProblem& p, Index row) const {
    return std::clamp<Index>(p.seen(first_query + row) - first_key, 0, keys);
  }
};

/// A packet of a row's numbers from column i on, times a factor; `hidden` in those that are not
/// below `seen`.
template <class N, class Scalar>
HALFSTEP_INLINE N load_seen(const Scalar* row, Index i, Index seen, const N& factor,
                            Scalar hidden) {
  const N numbers = load<N>(row + i) * factor;
  const Bits<N> column = lane_index<N>() + Bits<N>(static_cast<std::uint32_t>(i));
  return select(column < Bits<N>(static_cast<std::uint32_t>(seen)), numbers, N(hidden));
}

/// Online softmax (Milakov, Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135, algorithm
/// 1): weight = exp(scale score - m) with m the row's largest so far, 0 where the query does not
/// see the key, and what was summed under the m before is multiplied by exp(before - m).
template <class Scalar, class Weight>
struct OnlineSoftmax {
  static constexpr bool compute_bound = true;
  const AttentionProblem& p;
  ScoreTile tile;
  const Scalar* scores;
  Weight* weights;  ///< may be where the scores are
  Scalar* largest;  ///< a row's m
  Scalar* sums;     ///< a row's sum of exp(scale score - m)
  Scalar* values;   ///< a row's sum of exp(scale score - m) v
  Index width;      ///< of a row of values, a multiple of widest_packet

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    constexpr Scalar lowest = -std::numeric_limits<Scalar>::infinity();
    const N scale(static_cast<Scalar>(p.scale));
    for (Index row = 0; row < tile.queries; ++row) {
      const Scalar* const score = scores + row * tile.row_length;
      Weight* const weight = weights + row * tile.row_length;
      const Index seen = tile.seen(p, row);
      const Scalar before = largest[row];
      N most(lowest);
      for (Index i = 0; i < seen; i += lanes<N>)
        most = max(most, load_seen<N>(score, i, seen, scale, lowest));
      // NaN where either is, so that a step with NaN is found.
      const Scalar now = max(before, static_cast<Scalar>(max(most)));
      if (seen > 0 && now != before) {
        // Nothing was summed under an m of -inf.
        if (before != lowest) scale_row<N>(row, std::exp(before - now));
        largest[row] = now;
      }
      N total(0.0f);
      for (Index i = 0; i < tile.row_length; i += lanes<N>) {
        N number(0.0f);
        if (i < seen) number = exp(load_seen<N>(score, i, seen, scale, lowest) - N(now));
        total = total + number;
        store(number, weight + i);
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

/// Probabilities P = exp(scale score - log_sum) from scores, and the scores' gradients
/// dS = scale P (G V^T - shared) from products G V^T; both 0 where the query does not see the key.
template <class Scalar, class Weight>
struct AttentionSlopes {
  static constexpr bool compute_bound = true;
  const AttentionProblem& p;
  ScoreTile tile;
  const Scalar* scores;
  const Scalar* products;
  Weight* weights;  ///< P; may be where the scores are
  Weight* slopes;   ///< dS; may be where the products are
  const Scalar* log_sum;
  const Scalar* shared;  ///< a row's g . y

  template <class N>
  HALFSTEP_INLINE void operator()() const {
    constexpr Scalar lowest = -std::numeric_limits<Scalar>::infinity();
    const N scale(static_cast<Scalar>(p.scale));
    for (Index row = 0; row < tile.queries; ++row) {
      const Index seen = tile.seen(p, row);
      const Index begin = row * tile.row_length;
      for (Index i = 0; i < tile.row_length; i += lanes<N>) {
        N probability(0.0f);
        N slope(0.0f);
        if (i < seen) {
          const N score = load_seen<N>(scores + begin, i, seen, scale, lowest);
          const N product = load_seen<N>(products + begin, i, seen, N(1.0f), Scalar(0));
          probability = exp(score - N(log_sum[row]));
          slope = probability * (product - N(shared[row])) * scale;
        }
        store(probability, weights + begin + i);
        store(slope, slopes + begin + i);
      }
    }
  }
};

}  // namespace halfstep
