#pragma once

#include <halfstep/backend/cpu/threads.hpp>
#include <halfstep/numeric/dispatch.hpp>
#include <halfstep/ops/elements.hpp>

#include <algorithm>
#include <tuple>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// Elements that one thread takes at a time; a pass over fewer runs serially.
inline constexpr Index element_grain = 16384;

/// The most lanes of any packet: tails are padded to this many elements.
inline constexpr Index widest_packet = 16;

/// One piece of an elementwise pass, of whole packets: load a number of each array, call the
/// functor, store.
template <class F, class... Arguments>
struct ElementKernel {
  F f;
  Index offset;  ///< what the arrays' element 0 is to the functor
  std::tuple<Arguments...> arrays;

  static constexpr bool compute_bound = ComputeBound<F>;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    for (Index i = first; i < last; i += lanes<N>)
      visit<N>(i, std::index_sequence_for<Arguments...>());
  }

 private:
  template <class N, std::size_t... I>
  HALFSTEP_INLINE void visit(Index i, std::index_sequence<I...>) const {
    N numbers[sizeof...(Arguments)];
    (get(std::get<I>(arrays), i, numbers[I]), ...);
    apply_to_elements(f, offset + i, numbers[I]...);
    (put(std::get<I>(arrays), i, numbers[I]), ...);
  }
  template <class Argument, class N>
  static HALFSTEP_INLINE void get(const Argument& array, [[maybe_unused]] Index i, N& number) {
    if constexpr (ElementArgument<Argument>::reads)
      number = load<N>(array.data + i);
    else
      number = N(0.0f);
  }
  template <class Argument, class N>
  static HALFSTEP_INLINE void put([[maybe_unused]] const Argument& array, [[maybe_unused]] Index i,
                                  [[maybe_unused]] const N& number) {
    if constexpr (ElementArgument<Argument>::writes) store(number, array.data + i);
  }
};

/// The last elements of an array in a buffer of a whole packet.
template <class Argument>
class Tail {
 public:
  Tail(const Argument& array, Index first, Index count) : array_(array), first_(first) {
    if constexpr (ElementArgument<Argument>::reads) std::copy_n(array.data + first, count, buffer_);
  }
  Argument argument() { return {buffer_}; }
  void write_back([[maybe_unused]] Index count) const {
    if constexpr (ElementArgument<Argument>::writes)
      std::copy_n(buffer_, count, array_.data + first_);
  }

 private:
  Argument array_;
  Index first_;
  typename ElementArgument<Argument>::Storage buffer_[widest_packet] = {};
};

/// Runs a kernel on packets, or on doubles where one of its arrays holds doubles. Only a kernel
/// that says it is compute_bound is compiled for AVX-512 as well: the others wait for memory, and
/// three versions of each would be most of what a program compiles.
template <class Scalar, class Kernel, class... Args>
auto run_as(const Kernel& kernel, Args&&... args) {
  if constexpr (std::is_same_v<Scalar, double>)
    return kernel.template operator()<double>(args...);
  else if constexpr (ComputeBound<Kernel>)
    return run(kernel, args...);
  else
    return run_memory_bound(kernel, args...);
}

/// Elements [first, last) of an elementwise pass.
template <class F, class... Arguments>
void run_elements(const F& ready, Index first, Index last, const Arguments&... arrays) {
  using Scalar = CommonCompute<typename ElementArgument<Arguments>::Storage...>;
  using Kernel = ElementKernel<F, Arguments...>;
  const Index count = (last - first) % widest_packet;
  if (last - first > count) run_as<Scalar>(Kernel{ready, 0, {arrays...}}, first, last - count);
  if (count == 0) return;
  const Index at = last - count;
  const auto pad = [&](Tail<Arguments>... tails) {
    run_as<Scalar>(Kernel{ready, at, {tails.argument()...}}, Index{0}, widest_packet);
    (tails.write_back(count), ...);
  };
  pad(Tail<Arguments>(arrays, at, count)...);
}

/// Calls f on elements [0, n) of the arrays; see ops/elements.hpp.
/// @numerics  the tail runs as a padded packet of the same code: a value's bits do not depend on
/// its
///            place
template <class F, class... Arguments>
void for_each_element(Index n, const F& f, Arguments... arrays) {
  parallel_for(n, element_grain, [&](Index first, Index last) {
    const auto ready = prepare(f);
    if (!skips(ready)) run_elements(ready, first, last, arrays...);
  });
}

/// to = from, with a change of storage type.
struct CopyElements {
  template <class N>
  HALFSTEP_INLINE void operator()(const N& from, N& to) const {
    to = from;
  }
};

/// Converts n elements, threaded.
template <class From, class To>
void convert_elements(Index n, const From* from, To* to) {
  for_each_element(n, CopyElements{}, In<From>{from}, Out<To>{to});
}

}  // namespace halfstep
