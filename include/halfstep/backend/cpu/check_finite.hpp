#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/ops/finite_check.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <cmath>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// The finite check of elements [first, last), in blocks.
template <class T>
struct FiniteKernel {
  static constexpr Index block = 1024;
  const T* x;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last, FiniteCheck& result) const {
    for (Index begin = first; begin < last; begin += block)
      check_block<N>(begin, std::min(last, begin + block), result);
  }

 private:
  template <class N>
  HALFSTEP_INLINE void check_block(Index first, Index last, FiniteCheck& result) const {
    constexpr Index step = lanes<N>;
    N squares[2] = {N(0.0f), N(0.0f)};
    Mask<N> finite = is_finite(N(0.0f));
    Mask<N> nonzero = N(0.0f) != N(0.0f);
    Index i = first;
    for (; i + 2 * step <= last; i += 2 * step)
      for (int j = 0; j < 2; ++j) {
        const N value = load<N>(x + i + j * step);
        squares[j] = fma(value, value, squares[j]);
        finite = finite & is_finite(value);
        nonzero = nonzero | (value != N(0.0f));
      }
    for (; i < last; i += step) {
      const N value = load_partial<N>(x + i, static_cast<std::size_t>(last - i));
      squares[0] = fma(value, value, squares[0]);
      finite = finite & is_finite(value);
      nonzero = nonzero | (value != N(0.0f));
    }
    if (!any(nonzero)) return;  // dead units, unused rows
    const double total = static_cast<double>(sum(squares[0] + squares[1]));
    if (!all(finite)) result.found_inf = 1;
    // Squares of finite floats may leave float's range at either end; double holds them all.
    const bool in_range = total > 1e-30 && total < 1e38;
    result.sum_of_squares += in_range ? total : sum_in_double(first, last);
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
