#pragma once

#include <halfstep/backend/grid/block.hpp>
#include <halfstep/backend/grid/members.hpp>
#include <halfstep/numeric/scalar_number.hpp>
#include <halfstep/ops/backend.hpp>

#include <limits>
#include <type_traits>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

// A reduction runs in pieces of the reduced axis whose length depends on the sizes alone; their
// results are reduced again until one is left of each output.

/// Elements of one output that are reduced in one go.
inline constexpr Index reduce_piece = 1024;

template <Reduction R>
using CombineOf = std::conditional_t<R == Reduction::sum, Sum,
                                     std::conditional_t<R == Reduction::max, Largest, Smallest>>;

/// What changes nothing that it is combined with.
template <Reduction R, class Scalar>
inline constexpr Scalar identity_of = R == Reduction::sum ? Scalar(0)
                                      : R == Reduction::max
                                          ? -std::numeric_limits<Scalar>::infinity()
                                          : std::numeric_limits<Scalar>::infinity();

struct SameNumber {
  template <class N>
  HALFSTEP_HOST_DEVICE N operator()(const N& x) const {
    return x;
  }
};

/// partial[o, piece, i] = R over a piece of map(ins[o, r, i]...), for [outer, reduced, inner].
template <Reduction R, class F, class... Ins>
struct ReduceKernel {
  using Scalar = CommonCompute<Ins...>;
  static constexpr int columns = 32;  ///< that a block takes where inner > 1, and rows at once
  static constexpr int rows = 8;

  F map;
  Index outer, reduced, inner, pieces;
  Scalar* partial;
  Members<const Ins*...> ins;

  GridSize grid() const {
    return inner == 1 ? GridSize{rounded_up(outer * pieces, rows), columns * rows}
                      : GridSize{outer * pieces * rounded_up(inner, columns), columns * rows};
  }

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    if (inner == 1)
      along_rows(block);
    else
      down_columns(block);
  }

 private:
  /// A warp a piece.
  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void along_rows(Block& block) const {
    const CombineOf<R> combine;
    typename Block::template PerThread<Scalar> x;
    block.own([&](int thread) {
      const Index at = block.index() * rows + thread / warp_size;
      Scalar value = identity_of<R, Scalar>;
      if (at < outer * pieces) {
        const Index first = at % pieces * reduce_piece;
        const Index last = smaller(reduced, first + reduce_piece);
        for (Index i = first + thread % warp_size; i < last; i += warp_size)
          value = combine(value, mapped(at / pieces * reduced + i));
      }
      x[thread] = value;
    });
    combine_warps(block, x, combine);
    block.own([&](int thread) {
      const Index at = block.index() * rows + thread / warp_size;
      if (thread % warp_size == 0 && at < outer * pieces) partial[at] = x[thread];
    });
  }

  /// Neighbouring threads take neighbouring columns.
  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void down_columns(Block& block) const {
    const CombineOf<R> combine;
    Scalar* const parts = block.template shared<Scalar, columns * rows, 0>();
    const Index tiles = rounded_up(inner, columns);
    const Index first_column = block.index() % tiles * columns;
    const Index at = block.index() / tiles;  // outer * pieces + piece
    block.each([&](int thread) {
      const Index column = first_column + thread % columns;
      const Index first = at % pieces * reduce_piece;
      const Index last = smaller(reduced, first + reduce_piece);
      Scalar value = identity_of<R, Scalar>;
      for (Index r = first + thread / columns; column < inner && r < last; r += rows)
        value = combine(value, mapped((at / pieces * reduced + r) * inner + column));
      parts[thread] = value;
    });
    block.own([&](int thread) {
      if (thread >= columns || first_column + thread >= inner) return;
      Scalar value = parts[thread];
      for (int row = 1; row < rows; ++row) value = combine(value, parts[row * columns + thread]);
      partial[at * inner + first_column + thread] = value;
    });
  }

  HALFSTEP_CALLS_EITHER
  HALFSTEP_HOST_DEVICE Scalar mapped(Index at) const {
    return mapped_of(at, std::index_sequence_for<Ins...>());
  }
  HALFSTEP_CALLS_EITHER
  template <std::size_t... I>
  HALFSTEP_HOST_DEVICE Scalar mapped_of(Index at, std::index_sequence<I...>) const {
    return map(load<Scalar>(grid::get<I>(ins) + at)...);
  }
};

/// out = scale * partial, one rounding.
template <class Scalar, class Out>
struct FinishReduction {
  double scale;
  bool accumulate;
  Index n;
  const Scalar* partial;
  Out* out;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      const Index at = block.index() * block.threads() + thread;
      if (at >= n) return;
      double result = static_cast<double>(partial[at]) * scale;
      if (accumulate) result += storage_cast<double>(out[at]);
      out[at] = storage_cast<Out>(result);
    });
  }
};

}  // namespace halfstep
