#pragma once

#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/tensor/view.hpp>

#include <concepts>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

// How an elementwise pass takes its arrays. They all have the same number of elements. Elements of
// any storage type reach the functor as its number type N: float, double, or a packet of floats.

/// An array that the pass only reads; the functor takes `const N&`.
template <class T>
struct In {
  const T* data;
};

/// An array that the pass only writes; the functor takes `N&` and sets it.
template <class T>
struct Out {
  T* data;
};

/// An array that the pass reads and writes; the functor takes `N&` and changes it.
template <class T>
struct InOut {
  T* data;
};

template <class T, class D>
In<std::remove_const_t<T>> in(const View<T, D>& view) {
  return {view.data()};
}
template <class T, class D>
requires(!std::is_const_v<T>) Out<T> out(const View<T, D>& view) { return {view.data()}; }
template <class T, class D>
requires(!std::is_const_v<T>) InOut<T> in_out(const View<T, D>& view) { return {view.data()}; }

/// An elementwise pass that reads settings where it runs: `prepared()` is called there, once per
/// piece of the pass, and returns the functor for the elements. A step's coefficients and its
/// found-inf flag are read this way, so that the host never waits for them.
template <class F>
concept Prepared = requires(const F& f) {
  f.prepared();
};

/// A (prepared) functor that can say that its pass must touch nothing: a skipped step.
template <class F>
concept Skippable = requires(const F& f) {
  { f.skip() } -> std::convertible_to<bool>;
};

/// The functor that runs over the elements: what `prepared()` gives, or the functor itself.
HALFSTEP_CALLS_EITHER
template <class F>
HALFSTEP_HOST_DEVICE auto prepare(const F& f) {
  if constexpr (Prepared<F>) {
    return f.prepared();
  } else {
    return f;
  }
}

/// Whether a prepared functor's pass must touch nothing.
HALFSTEP_CALLS_EITHER
template <class F>
HALFSTEP_HOST_DEVICE bool skips([[maybe_unused]] const F& prepared) {
  if constexpr (Skippable<F>) {
    return prepared.skip();
  } else {
    return false;
  }
}

/// Calls `f(first, numbers...)` where f asks which element it has, else `f(numbers...)`.
HALFSTEP_CALLS_EITHER
template <class F, class... N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void apply_to_elements(const F& f,
                                                            [[maybe_unused]] Index first,
                                                            N&... numbers) {
  if constexpr (std::is_invocable_v<const F&, Index, N&...>) {
    f(first, numbers...);
  } else {
    f(numbers...);
  }
}

/// A functor (or a kernel of it) whose arithmetic takes longer than its memory: exp, tanh, random
/// numbers. It says `static constexpr bool compute_bound = true`.
template <class F>
concept ComputeBound = requires {
  requires F::compute_bound;
};

/// The scalar in which elements stored as T... are computed together.
template <class... T>
using CommonCompute =
    std::conditional_t<(std::is_same_v<typename numeric_traits<T>::compute, double> || ...), double,
                       float>;

/// The storage type of an `In`, `Out` or `InOut`, and whether the pass writes it.
template <class Argument>
struct ElementArgument;
template <class T>
struct ElementArgument<In<T>> {
  using Storage = T;
  static constexpr bool reads = true;
  static constexpr bool writes = false;
};
template <class T>
struct ElementArgument<Out<T>> {
  using Storage = T;
  static constexpr bool reads = false;
  static constexpr bool writes = true;
};
template <class T>
struct ElementArgument<InOut<T>> {
  using Storage = T;
  static constexpr bool reads = true;
  static constexpr bool writes = true;
};

}  // namespace halfstep
