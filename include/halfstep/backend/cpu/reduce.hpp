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

/// One block of each output, along rows (inner = 1) or down columns.
template <Reduction R, class F, class Out, class... Ins>
struct ReduceKernel {
  using Scalar = CommonCompute<Ins...>;

  F map;
  Out* out;
  std::tuple<const Ins*...> ins;
  Index inner;
  Scalar scale;
  bool accumulate;

  /// out[to] = scale R over [first, first + length) of the elements.
  template <class N>
  HALFSTEP_INLINE void row(Index first, Index length, Index to) const {
    constexpr Index step = lanes<N>;
    const Combine<R> combine;
    N partial[4] = {N(combine.identity), N(combine.identity), N(combine.identity),
                    N(combine.identity)};
    Index i = 0;
    for (; i + 4 * step <= length; i += 4 * step)
      for (int j = 0; j < 4; ++j) partial[j] = combine(partial[j], mapped<N>(first + i + j * step));
    for (; i + step <= length; i += step) partial[0] = combine(partial[0], mapped<N>(first + i));
    if (i < length) {
      // The map of a padded lane may be anything.
      const N last = mapped<N>(first + i, length - i);
      const auto inside = lane_index<N>() < Bits<N>(static_cast<std::uint32_t>(length - i));
      partial[0] = combine(partial[0], select(inside, last, N(combine.identity)));
    }
    const N all = combine(combine(partial[0], partial[1]), combine(partial[2], partial[3]));
    finish(static_cast<Scalar>(combine.lanes_of(all)), out + to);
  }

  /// out[to + c] = scale R over `length` rows of the columns [0, width) from element `first` on.
  template <class N>
  HALFSTEP_INLINE void columns(Index first, Index length, Index width, Index to) const {
    constexpr Index step = lanes<N>;
    Index column = 0;
    for (; column + 4 * step <= width; column += 4 * step)
      packets<N, 4>(first + column, length, 4 * step, to + column);
    for (; column < width; column += step)
      packets<N, 1>(first + column, length, std::min(step, width - column), to + column);
  }

 private:
  template <class N, int Count>
  HALFSTEP_INLINE void packets(Index first, Index length, Index width, Index to) const {
    constexpr Index step = lanes<N>;
    constexpr Index rows_at_once = 64;
    const Combine<R> combine;
    N total[Count];
    for (int j = 0; j < Count; ++j) total[j] = N(combine.identity);
    for (Index begin = 0; begin < length; begin += rows_at_once) {
      // Sums of sums: the error grows with the square root of the length, not with the length.
      const Index end = std::min(length, begin + rows_at_once);
      N partial[Count];
      for (int j = 0; j < Count; ++j) partial[j] = N(combine.identity);
      for (Index row = begin; row < end; ++row)
        for (int j = 0; j < Count; ++j) {
          const Index at = first + row * inner + j * step;
          partial[j] =
              combine(partial[j], width == Count * step ? mapped<N>(at) : mapped<N>(at, width));
        }
      for (int j = 0; j < Count; ++j) total[j] = combine(total[j], partial[j]);
    }
    for (int j = 0; j < Count; ++j) {
      Out* const at = out + to + j * step;
      const auto count = static_cast<std::size_t>(std::min(step, width - j * step));
      N result = total[j] * N(scale);
      if (accumulate) result = result + load_partial<N>(at, count);
      store_partial(result, at, count);
    }
  }

  template <class N, class... Count>
  HALFSTEP_INLINE N mapped(Index at, Count... count) const {
    return mapped_of<N>(at, std::index_sequence_for<Ins...>(), count...);
  }
  template <class N, std::size_t... I>
  HALFSTEP_INLINE N mapped_of(Index at, std::index_sequence<I...>) const {
    const N numbers[] = {load<N>(std::get<I>(ins) + at)...};
    return map(numbers[I]...);
  }
  template <class N, std::size_t... I>
  HALFSTEP_INLINE N mapped_of(Index at, std::index_sequence<I...>, Index count) const {
    const N numbers[] = {
        load_partial<N>(std::get<I>(ins) + at, static_cast<std::size_t>(count))...};
    return map(numbers[I]...);
  }
  HALFSTEP_INLINE void finish(Scalar result, Out* to) const {
    result *= scale;
    if (accumulate) result += storage_cast<Scalar>(*to);
    *to = storage_cast<Out>(result);
  }
};

/// The pieces [first, last) of a pass: a piece is some rows, or some columns of a block.
template <class Kernel>
struct ReducePieces {
  Kernel kernel;
  Index reduced;
  Index blocks;
  Index tile;  // columns of a piece

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    const Index tiles = (kernel.inner + tile - 1) / tile;
    for (Index piece = first; piece < last; ++piece) {
      const Index column = piece % tiles * tile;
      const Index block = piece / tiles % blocks;
      const Index outer = piece / tiles / blocks;
      const Index begin = block * reduce_block;
      const Index length = std::min(reduce_block, reduced - begin);
      const Index from = (outer * reduced + begin) * kernel.inner + column;
      const Index to = (outer * blocks + block) * kernel.inner + column;
      if (kernel.inner == 1) {
        kernel.template row<N>(from, length, to);
      } else {
        kernel.template columns<N>(from, length, std::min(tile, kernel.inner - column), to);
      }
    }
  }
};

struct Identity {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& x) const {
    return x;
  }
};

/// out[o, i] = scale * R over r of map(ins[o, r, i]...); see ops/backend.hpp.
template <Reduction R, class F, class Out, class... Ins>
void reduce(const ReduceProblem& p, const F& map, Out* out, const Ins*... ins) {
  using Scalar = CommonCompute<Ins...>;
  const Index blocks = std::max<Index>(1, (p.reduced + reduce_block - 1) / reduce_block);
  const Index tile = std::min<Index>(p.inner, 128);
  const Index pieces = p.outer * blocks * ((p.inner + tile - 1) / std::max<Index>(1, tile));
  const Index work = std::min(p.reduced, reduce_block) * tile;
  const Index grain = std::max<Index>(1, element_grain / std::max<Index>(1, work));
  const auto pass = [&](auto* to, Scalar scale, bool accumulate) {
    using To = std::remove_pointer_t<decltype(to)>;
    using Kernel = ReduceKernel<R, F, To, Ins...>;
    const ReducePieces<Kernel> kernel{Kernel{map, to, {ins...}, p.inner, scale, accumulate},
                                      p.reduced, blocks, tile};
    parallel_for(pieces, grain,
                 [&](Index first, Index last) { run_as<Scalar>(kernel, first, last); });
  };
  if (p.outer * p.inner == 0) return;
  if (blocks == 1) return pass(out, static_cast<Scalar>(p.scale), p.accumulate);
  Tensor<Scalar> partial(Shape{p.outer * blocks * p.inner});
  pass(partial.data(), Scalar(1), false);
  const ReduceProblem rest{p.outer, blocks, p.inner, p.scale, p.accumulate};
  reduce<R>(rest, Identity{}, out, static_cast<const Scalar*>(partial.data()));
}

}  // namespace halfstep
