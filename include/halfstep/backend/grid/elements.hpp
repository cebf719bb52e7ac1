#pragma once

#include <halfstep/backend/grid/block.hpp>
#include <halfstep/backend/grid/members.hpp>
#include <halfstep/numeric/scalar_number.hpp>
#include <halfstep/ops/elements.hpp>

#include <cstdint>
#include <new>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// Elements that a thread loads at once.
template <class T, int Width>
struct alignas(sizeof(T) * Width < 16 ? sizeof(T) * Width : 16) Pack {
  T values[Width];
};

/// An elementwise pass: threads take `Width` neighbours at a time, which are one or a few loads of
/// 16 bytes.
template <int Width, class F, class... Arguments>
struct ElementKernel {
  using N = CommonCompute<typename ElementArgument<Arguments>::Storage...>;

  F f;
  Index n;
  Members<Arguments...> arrays;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    if constexpr (Prepared<F>) {
      // One thread reads the settings: a step's coefficients are powers in double.
      using Ready = decltype(prepare(f));
      auto* const memory = block.template shared<std::uint64_t, words<Ready>, 0>();
      block.each([&](int thread) {
        if (thread == 0) ::new (static_cast<void*>(memory)) Ready(prepare(f));
      });
      run(block, *reinterpret_cast<const Ready*>(memory));
    } else {
      run(block, f);
    }
  }

 private:
  template <class T>
  static constexpr int words = static_cast<int>((sizeof(T) + 7) / 8);

  HALFSTEP_CALLS_EITHER
  template <class Block, class Ready>
  HALFSTEP_HOST_DEVICE void run(Block& block, const Ready& ready) const {
    if (skips(ready)) return;
    block.own([&](int thread) {
      const Index first = block.index() * block.threads() + thread;
      const Index stride = block.blocks() * block.threads(), whole = n / Width;
      for (Index i = first; i < whole; i += stride)
        visit<Width>(ready, i * Width, std::index_sequence_for<Arguments...>());
      // What is left is less than a pack: an element a thread.
      if (const Index i = whole * Width + first; i < n)
        visit<1>(ready, i, std::index_sequence_for<Arguments...>());
    });
  }
  HALFSTEP_CALLS_EITHER
  template <int Count, class Ready, std::size_t... I>
  HALFSTEP_HOST_DEVICE void visit(const Ready& ready, Index i, std::index_sequence<I...>) const {
    Members<Pack<typename ElementArgument<Arguments>::Storage, Count>...> packs;
    (get(grid::get<I>(arrays), i, grid::get<I>(packs)), ...);
    for (int j = 0; j < Count; ++j) {
      N numbers[] = {number<Arguments>(grid::get<I>(packs).values[j])...};
      apply_to_elements(ready, i + j, numbers[I]...);
      (set<Arguments>(numbers[I], grid::get<I>(packs).values[j]), ...);
    }
    (put(grid::get<I>(arrays), i, grid::get<I>(packs)), ...);
  }
  template <class Argument, class P>
  static HALFSTEP_HOST_DEVICE void get(const Argument& array, Index i, P& pack) {
    if constexpr (ElementArgument<Argument>::reads)
      pack = *reinterpret_cast<const P*>(array.data + i);
  }
  template <class Argument, class P>
  static HALFSTEP_HOST_DEVICE void put(const Argument& array, Index i, const P& pack) {
    if constexpr (ElementArgument<Argument>::writes) *reinterpret_cast<P*>(array.data + i) = pack;
  }
  template <class Argument, class T>
  static HALFSTEP_HOST_DEVICE N number(const T& value) {
    if constexpr (ElementArgument<Argument>::reads)
      return load<N>(&value);
    else
      return N(0);
  }
  template <class Argument, class T>
  static HALFSTEP_HOST_DEVICE void set(const N& number, T& value) {
    if constexpr (ElementArgument<Argument>::writes) store(number, &value);
  }
};

/// Whether an array may be read in packs.
template <int Width, class Argument>
bool is_aligned(const Argument& array) {
  using T = typename ElementArgument<Argument>::Storage;
  return reinterpret_cast<std::uintptr_t>(array.data) % alignof(Pack<T, Width>) == 0;
}

/// One call, in order with everything else.
template <class F>
struct OnceKernel {
  F f;
  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    block.own([&](int thread) {
      if (thread == 0) f();
    });
  }
};

/// The same of a functor that counts over parts: a block of threads shares them.
template <class F>
struct CountKernel {
  F f;
  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    typename Block::template PerThread<Index> counts;
    block.own([&](int thread) {
      Index count = 0;
      for (Index i = thread; i < f.parts(); i += block.threads()) count += f.part(i);
      counts[thread] = count;
    });
    const Index total = combine_block<Index, 0>(block, counts, Sum());
    block.own([&](int thread) {
      if (thread == 0) f.finish(total);
    });
  }
};

/// to = from, with a change of storage type.
struct CopyElements {
  template <class N>
  HALFSTEP_HOST_DEVICE void operator()(const N& from, N& to) const {
    to = from;
  }
};

}  // namespace halfstep
