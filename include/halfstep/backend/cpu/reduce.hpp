#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/ops/backend.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <limits>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

// A reduction runs in blocks of the reduced axis whose length depends on the sizes alone; where one
// has several blocks, their results are reduced again. Inside a block the order is fixed as well,
// so the number of threads changes no bit.

/// Elements of one output that are reduced in one go.
inline constexpr Index reduce_block = 4096;

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
      const Index begin = block * reduce_block;
      const Index length = std::min(reduce_block, reduced - begin);
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

  template <class N>
  HALFSTEP_INLINE void columns(Index first, Index length, Index width, Scalar* to) const {
    constexpr Index step = lanes<N>;
    Index column = 0;
    for (; column + 4 * step <= width; column += 4 * step)
      packets<N, 4>(first + column, length, 4 * step, to + column);
    for (; column < width; column += step)
      packets<N, 1>(first + column, length, width - column, to + column);
  }

  /// Columns [0, width) of 4 whole packets, or of one that may be cut short.
  template <class N, int Count>
  HALFSTEP_INLINE void packets(Index first, Index length, Index width, Scalar* to) const {
    constexpr Index step = lanes<N>;
    constexpr Index rows_at_once = 64;
    const Combine<R> combine;
    N total[Count];
    for (int j = 0; j < Count; ++j) total[j] = N(combine.identity);
    for (Index begin = 0; begin < length; begin += rows_at_once) {
      // Sums of sums: errors add up over 64 + length / 64 terms instead of over length.
      const Index end = std::min(length, begin + rows_at_once);
      N partial[Count];
      for (int j = 0; j < Count; ++j) partial[j] = N(combine.identity);
      for (Index row = begin; row < end; ++row)
        for (int j = 0; j < Count; ++j)
          partial[j] =
              combine(partial[j], mapped<N, Count != 1>(first + row * inner + j * step, width));
      for (int j = 0; j < Count; ++j) total[j] = combine(total[j], partial[j]);
    }
    for (int j = 0; j < Count; ++j)
      store_partial(total[j], to + j * step, static_cast<std::size_t>(width - j * step));
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
  const Index blocks = std::max<Index>(1, (p.reduced + reduce_block - 1) / reduce_block);
  const Index tile = std::min<Index>(p.inner, 128);
  const Index pieces = p.outer * blocks * ((p.inner + tile - 1) / tile);
  const Index work = std::max<Index>(1, std::min(p.reduced, reduce_block) * tile);
  Tensor<Scalar> partial(Shape{p.outer * blocks * p.inner});
  const ReduceKernel<R, F, Ins...> kernel{map,    partial.data(), {ins...}, p.reduced,
                                          blocks, p.inner,        tile};
  parallel_for(pieces, std::max<Index>(1, element_grain / work),
               [&](Index first, Index last) { run_as<Scalar>(kernel, first, last); });
  finish_reduction<R>(p, blocks, partial.data(), out);
}

}  // namespace halfstep
