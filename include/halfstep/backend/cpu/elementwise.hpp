#pragma once

#include <halfstep/backend/cpu/threads.hpp>
#include <halfstep/numeric/dispatch.hpp>
#include <halfstep/ops/elements.hpp>

#include <tuple>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// Elements that one thread takes at a time; a pass over fewer runs serially.
inline constexpr Index element_grain = 16384;

/// One piece of an elementwise pass: load a number of each array, call the functor, store.
template <class F, class... Arguments>
struct ElementKernel {
  F f;
  std::tuple<Arguments...> arrays;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    constexpr Index step = lanes<N>;
    Index i = first;
    for (; i + step <= last; i += step)
      visit<N, true>(i, step, std::index_sequence_for<Arguments...>());
    if (i < last) visit<N, false>(i, last - i, std::index_sequence_for<Arguments...>());
  }

 private:
  template <class N, bool Whole, std::size_t... I>
  HALFSTEP_INLINE void visit(Index i, Index count, std::index_sequence<I...>) const {
    N numbers[sizeof...(Arguments)];
    (get<Whole>(std::get<I>(arrays), i, count, numbers[I]), ...);
    apply_to_elements(f, i, numbers[I]...);
    (put<Whole>(std::get<I>(arrays), i, count, numbers[I]), ...);
  }
  template <bool Whole, class Argument, class N>
  static HALFSTEP_INLINE void get(const Argument& array, [[maybe_unused]] Index i,
                                  [[maybe_unused]] Index count, N& number) {
    if constexpr (!ElementArgument<Argument>::reads) {
      number = N(0.0f);
    } else if constexpr (Whole) {
      number = load<N>(array.data + i);
    } else {
      number = load_partial<N>(array.data + i, static_cast<std::size_t>(count));
    }
  }
  template <bool Whole, class Argument, class N>
  static HALFSTEP_INLINE void put([[maybe_unused]] const Argument& array, [[maybe_unused]] Index i,
                                  [[maybe_unused]] Index count, [[maybe_unused]] const N& number) {
    if constexpr (!ElementArgument<Argument>::writes) {
    } else if constexpr (Whole) {
      store(number, array.data + i);
    } else {
      store_partial(number, array.data + i, static_cast<std::size_t>(count));
    }
  }
};

/// Runs a kernel on packets, or on doubles where one of its arrays holds doubles.
template <class Scalar, class Kernel, class... Args>
auto run_as(const Kernel& kernel, Args&&... args) {
  if constexpr (std::is_same_v<Scalar, double>) {
    return kernel.template operator()<double>(args...);
  } else {
    return run(kernel, args...);
  }
}

/// Calls f on elements [0, n) of the arrays; see ops/elements.hpp.
/// @numerics  the tail runs as a padded packet: a value's bits do not depend on its place
template <class F, class... Arguments>
void for_each_element(Index n, const F& f, Arguments... arrays) {
  using Scalar = CommonCompute<typename ElementArgument<Arguments>::Storage...>;
  parallel_for(n, element_grain, [&](Index first, Index last) {
    const auto ready = prepare(f);
    if (skips(ready)) return;
    const ElementKernel<std::remove_const_t<decltype(ready)>, Arguments...> kernel{ready,
                                                                                   {arrays...}};
    run_as<Scalar>(kernel, first, last);
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
