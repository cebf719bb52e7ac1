#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/ops/backend.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

// A reduction runs in blocks of the reduced axis whose length depends on the sizes alone; where one
// has several blocks, their results are reduced again. Inside a block the order is fixed as well,
// so the number of threads changes no bit.

/// Elements of one output that are reduced in one go: of a row, or, where columns are reduced and a
/// block holds many, fewer rows, so that there is work for every thread.
inline Index reduce_block(const ReduceProblem& p) { return p.inner == 1 ? 4096 : 256; }

/// Columns of a piece of a reduction, at most.
inline constexpr Index widest_tile = 512;

template <Reduction R>
struct Combine {
  static constexpr float identity = R == Reduction::sum   ? 0.0f
                                    : R == Reduction::max ? -std::numeric_limits<float>::infinity()
                                                          : std::numeric_limits<float>::infinity();
  template <class N>
  HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    if constexpr (R == Reduction::sum) {
      return a + b;
    } else if constexpr (R == Reduction::max) {
      return max(a, b);
    } else {
      return min(a, b);
    }
  }
  /// Over the lanes, in a fixed tree.
  template <class N>
  HALFSTEP_INLINE auto lanes_of(const N& x) const {
    if constexpr (R == Reduction::sum) {
      return sum(x);
    } else if constexpr (R == Reduction::max) {
      return max(x);
    } else {
      return min(x);
    }
  }
};

/// One block of each output, along rows (inner = 1) or down columns, in the compute type.
template <Reduction R, class F, class... Ins>
struct ReduceKernel {
  using Scalar = CommonCompute<Ins...>;

  F map;
  Scalar* out;
  std::tuple<const Ins*...> ins;
  Index reduced;
  Index blocks;
  Index block_length;
  Index inner;
  Index tile;  // columns of a piece

  /// The pieces [first, last) of the pass: a piece is one row, or a tile of columns, of a block.
  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    const Index tiles = (inner + tile - 1) / tile;
    for (Index piece = first; piece < last; ++piece) {
      const Index column = piece % tiles * tile;
      const Index block = piece / tiles % blocks;
      const Index outer = piece / tiles / blocks;
      const Index begin = block * block_length;
      const Index length = std::min(block_length, reduced - begin);
      const Index from = (outer * reduced + begin) * inner + column;
      const Index to = (outer * blocks + block) * inner + column;
      if (inner == 1) {
        row<N>(from, length, out + to);
      } else {
        columns<N>(from, length, std::min(tile, inner - column), out + to);
      }
    }
  }

 private:
  static constexpr Index streams = 8;

  template <class N>
  HALFSTEP_INLINE void row(Index first, Index length, Scalar* to) const {
    constexpr Index step = lanes<N>;
    const Combine<R> combine;
    N partial[4] = {N(combine.identity), N(combine.identity), N(combine.identity),
                    N(combine.identity)};
    Index i = 0;
    for (; i + 4 * step <= length; i += 4 * step)
      for (int j = 0; j < 4; ++j)
        partial[j] = combine(partial[j], mapped<N, true>(first + i + j * step, step));
    for (; i < length; i += step) {
      // The map of a padded lane may be anything.
      const N value = mapped<N, false>(first + i, length - i);
      const auto inside = lane_index<N>() < Bits<N>(static_cast<std::uint32_t>(length - i));
      partial[0] = combine(partial[0], select(inside, value, N(combine.identity)));
    }
    const N all = combine(combine(partial[0], partial[1]), combine(partial[2], partial[3]));
    *to = static_cast<Scalar>(combine.lanes_of(all));
  }

  /// Along a few rows at a time, which is as many streams of memory as a processor follows.
  template <class N>
  HALFSTEP_INLINE void columns(Index first, Index length, Index width, Scalar* to) const {
    // Sums of sums: errors add up over 64 + length / 64 terms instead of over length.
    constexpr Index rows_at_once = 64;
    Scalar partial[widest_tile];
    std::fill_n(to, width, Scalar(Combine<R>::identity));
    for (Index begin = 0; begin < length; begin += rows_at_once) {
      const Index end = std::min(length, begin + rows_at_once);
      Index row = begin;
      for (; row + streams <= end; row += streams)
        add_rows<N, streams>(first + row * inner, width, row == begin, partial);
      for (; row < end; ++row) add_rows<N, 1>(first + row * inner, width, row == begin, partial);
      const Combine<R> combine;
      for (Index column = 0; column < width; column += lanes<N>) {
        const auto count = static_cast<std::size_t>(width - column);
        const N before = load_partial<N>(to + column, count);
        store_partial(combine(before, load<N>(partial + column)), to + column, count);
      }
    }
  }

  /// partial = what it was and `Rows` rows combined.
  template <class N, Index Rows>
  HALFSTEP_INLINE void add_rows(Index first, Index width, bool fresh, Scalar* partial) const {
    Index column = 0;
    for (; column + lanes<N> <= width; column += lanes<N>)
      add_packet<N, true>(first + column, lanes<N>, fresh, partial + column,
                          std::make_integer_sequence<Index, Rows>());
    if (column < width)
      add_packet<N, false>(first + column, width - column, fresh, partial + column,
                           std::make_integer_sequence<Index, Rows>());
  }
  template <class N, bool Whole, Index... Row>
  HALFSTEP_INLINE void add_packet(Index first, Index count, bool fresh, Scalar* partial,
                                  std::integer_sequence<Index, Row...>) const {
    const Combine<R> combine;
    N all = fresh ? N(combine.identity) : load<N>(partial);
    ((all = combine(all, mapped<N, Whole>(first + Row * inner, count))), ...);
    store(all, partial);
  }

  template <class N, bool Whole>
  HALFSTEP_INLINE N mapped(Index at, Index count) const {
    return mapped_of<N, Whole>(at, count, std::index_sequence_for<Ins...>());
  }
  template <class N, bool Whole, std::size_t... I>
  HALFSTEP_INLINE N mapped_of(Index at, Index count, std::index_sequence<I...>) const {
    const N numbers[] = {get<N, Whole>(std::get<I>(ins) + at, count)...};
    return map(numbers[I]...);
  }
  template <class N, bool Whole, class T>
  static HALFSTEP_INLINE N get(const T* from, [[maybe_unused]] Index count) {
    if constexpr (Whole) {
      return load<N>(from);
    } else {
      return load_partial<N>(from, static_cast<std::size_t>(count));
    }
  }
};

/// out[o, i] = scale R over b of blocks[o, b, i]: few numbers, so in doubles.
template <Reduction R, class Scalar, class Out>
void finish_reduction(const ReduceProblem& p, Index blocks, const Scalar* partial, Out* out) {
  parallel_for(p.outer * p.inner, element_grain, [&](Index first, Index last) {
    for (Index at = first; at < last; ++at) {
      const Scalar* from = partial + at / p.inner * blocks * p.inner + at % p.inner;
      double result = *from;
      for (Index block = 1; block < blocks; ++block)
        result = Combine<R>()(result, static_cast<double>(from[block * p.inner]));
      result *= p.scale;
      if (p.accumulate) result += storage_cast<double>(out[at]);
      out[at] = storage_cast<Out>(result);
    }
  });
}

/// out[o, i] = scale * R over r of map(ins[o, r, i]...); see ops/backend.hpp.
template <Reduction R, class F, class Out, class... Ins>
void reduce(const ReduceProblem& p, const F& map, Out* out, const Ins*... ins) {
  using Scalar = CommonCompute<Ins...>;
  if (p.outer * p.inner == 0) return;
  const Index block = reduce_block(p);
  const Index blocks = std::max<Index>(1, (p.reduced + block - 1) / block);
  const Index tile = std::min(p.inner, widest_tile);
  const Index pieces = p.outer * blocks * ((p.inner + tile - 1) / tile);
  const Index work = std::max<Index>(1, std::min(p.reduced, block) * tile);
  Tensor<Scalar> partial(Shape{p.outer * blocks * p.inner});
  const ReduceKernel<R, F, Ins...> kernel{map,    partial.data(), {ins...}, p.reduced,
                                          blocks, block,          p.inner,  tile};
  parallel_for(pieces, std::max<Index>(1, element_grain / work),
               [&](Index first, Index last) { run_as<Scalar>(kernel, first, last); });
  finish_reduction<R>(p, blocks, partial.data(), out);
}

}  // namespace halfstep
