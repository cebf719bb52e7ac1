#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/ops/finite_check.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <cmath>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// The finite check of elements [first, last), in blocks.
template <class T>
struct FiniteKernel {
  static constexpr Index block = 2048;
  const T* x;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last, FiniteCheck& result) const {
    for (Index begin = first; begin < last; begin += block) {
      const Index end = std::min(last, begin + block);
      const double total = sum_in_float<N>(begin, end);
      // An inf or a NaN leaves no sum in this range, and what is too small to square no trace.
      if (total > 1e-30 && total < 1e38)
        result.sum_of_squares += total;
      else
        look_closer<N>(begin, end, result);
    }
  }

 private:
  template <class N>
  HALFSTEP_INLINE double sum_in_float(Index first, Index last) const {
    constexpr Index step = lanes<N>;
    // Four sums by name: GCC keeps an array of them in memory.
    N a(0.0f), b(0.0f), c(0.0f), d(0.0f);
    Index i = first;
    for (; i + 4 * step <= last; i += 4 * step) {
      add_square(load<N>(x + i), a);
      add_square(load<N>(x + i + step), b);
      add_square(load<N>(x + i + 2 * step), c);
      add_square(load<N>(x + i + 3 * step), d);
    }
    for (; i < last; i += step)
      add_square(load_partial<N>(x + i, static_cast<std::size_t>(last - i)), a);
    return static_cast<double>(sum((a + b) + (c + d)));
  }
  template <class N>
  static HALFSTEP_INLINE void add_square(const N& value, N& to) {
    to = fma(value, value, to);
  }
  /// A block that holds an inf or a NaN, squares that leave float's range at either end (double
  /// holds them all), or nothing but zeros: dead units, unused rows.
  template <class N>
  HALFSTEP_INLINE void look_closer(Index first, Index last, FiniteCheck& result) const {
    Mask<N> finite = is_finite(N(0.0f));
    Mask<N> nonzero = N(0.0f) != N(0.0f);
    for (Index i = first; i < last; i += lanes<N>) {
      const N value = load_partial<N>(x + i, static_cast<std::size_t>(last - i));
      finite = finite & is_finite(value);
      nonzero = nonzero | (value != N(0.0f));
    }
    if (!all(finite)) result.found_inf = 1;
    if (any(nonzero)) result.sum_of_squares += sum_in_double(first, last);
  }
  double sum_in_double(Index first, Index last) const {
    double total = 0.0;
    for (Index i = first; i < last; ++i) {
      const double value = storage_cast<double>(x[i]);
      total += value * value;
    }
    return total;
  }
};

/// Adds the sum of squares to `into`, and raises its flag where an inf or a NaN is read.
template <class T>
void check_finite(Index n, const T* x, FiniteCheck* into) {
  constexpr Index grain = 4 * element_grain;
  const FiniteKernel<T> kernel{x};
  const Index chunks = (n + grain - 1) / grain;
  if (chunks <= 1) {
    FiniteCheck found;
    run_as<Compute<T>>(kernel, Index{0}, n, found);
    into->sum_of_squares += found.sum_of_squares;
    into->found_inf |= found.found_inf;
    return;
  }
  Tensor<FiniteCheck> partial(Shape{chunks});
  parallel_for(n, grain, [&](Index first, Index last) {
    FiniteCheck found;
    run_as<Compute<T>>(kernel, first, last, found);
    partial.data()[first / grain] = found;
  });
  for (const FiniteCheck& found : partial.span()) {
    into->sum_of_squares += found.sum_of_squares;
    into->found_inf |= found.found_inf;
  }
}

}  // namespace halfstep
