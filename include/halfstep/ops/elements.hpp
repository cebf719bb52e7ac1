#pragma once

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

}  // namespace halfstep
