#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/ops/index_check.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// out[i] = table[index[i]], rows of `width`.
template <class T>
void gather_rows(Index n, Index width, Index rows, const T* table, const std::int32_t* index,
                 T* out) {
  check_indices("gather_rows", n, rows, index);
  const Index grain = std::max<Index>(1, element_grain / std::max<Index>(1, width));
  parallel_for(n, grain, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i)
      std::copy_n(table + index[i] * width, width, out + i * width);
  });
}

/// Sums the rows of `values` at positions[0, count) onto a row, a packet of columns at a time.
template <class T>
struct ScatterKernel {
  const T* values;
  Index width;

  template <class N>
  HALFSTEP_INLINE void operator()(const std::int32_t* positions, Index count, T* row) const {
    for (Index column = 0; column < width; column += lanes<N>) {
      const auto inside = static_cast<std::size_t>(width - column);
      N sum = load_partial<N>(row + column, inside);
      for (Index i = 0; i < count; ++i)
        sum = sum + load_partial<N>(values + positions[i] * width + column, inside);
      store_partial(sum, row + column, inside);
    }
  }
};

/// table[index[i]] += values[i] for i = 0, 1, ..., rows of `width`; each element of the table is
/// rounded once, after all that comes to it.
template <class T>
void scatter_add_rows(Index n, Index width, Index rows, const T* values, const std::int32_t* index,
                      T* table) {
  check_indices("scatter_add_rows", n, rows, index);
  if (n == 0) return;
  // A counting sort: the positions of each row's values, in their order.
  Tensor<std::int32_t> begin(Shape{rows + 1});
  Tensor<std::int32_t> positions(Shape{n});
  std::fill_n(begin.data(), rows + 1, 0);
  for (Index i = 0; i < n; ++i) ++begin.data()[index[i]];
  std::int32_t before = 0;
  for (std::int32_t& at : begin.span()) before += std::exchange(at, before);
  for (Index i = 0; i < n; ++i)
    positions.data()[begin.data()[index[i]]++] = static_cast<std::int32_t>(i);
  // Now begin[r] is where the positions of row r end.
  const ScatterKernel<T> kernel{values, width};
  const Index mean = std::max<Index>(1, n * width / std::max<Index>(1, rows));
  parallel_for(rows, std::max<Index>(1, element_grain / mean), [&](Index first, Index last) {
    for (Index row = first; row < last; ++row) {
      const std::int32_t from = row == 0 ? 0 : begin.data()[row - 1];
      const Index count = begin.data()[row] - from;
      if (count > 0)
        run_as<Compute<T>>(kernel, positions.data() + from, count, table + row * width);
    }
  });
}

}  // namespace halfstep
