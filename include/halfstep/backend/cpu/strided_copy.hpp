#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/ops/backend.hpp>

#include <cstring>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// A strided copy with its axes of extent 1 gone and neighbours merged where both sides run on.
inline StridedCopy simplified(const StridedCopy& copy) {
  StridedCopy simple = copy;
  simple.extents = Shape();
  for (int axis = 0; axis < copy.extents.rank(); ++axis) {
    const auto from = static_cast<std::size_t>(axis);
    const Index extent = copy.extents[axis];
    if (extent == 1) continue;
    const int rank = simple.extents.rank();
    const auto next = static_cast<std::size_t>(rank);
    const bool runs_on = rank > 0 &&
                         simple.from_strides[next - 1] == extent * copy.from_strides[from] &&
                         simple.to_strides[next - 1] == extent * copy.to_strides[from];
    if (runs_on) {
      simple.extents[-1] *= extent;
    } else {
      simple.extents = simple.extents.with_last(extent);
    }
    const std::size_t to = runs_on ? next - 1 : next;
    simple.from_strides[to] = copy.from_strides[from];
    simple.to_strides[to] = copy.to_strides[from];
  }
  return simple;
}

/// A piece of a row whose elements follow each other on both sides, or repeat one element.
template <class From, class To>
struct CopyRowKernel {
  bool repeat;
  bool accumulate;

  template <class N>
  HALFSTEP_INLINE void operator()(const From* from, To* to, Index n) const {
    const N first = repeat ? N(storage_cast<CommonCompute<From, To>>(*from)) : N(0.0f);
    for (Index i = 0; i < n; i += lanes<N>) {
      const auto count = static_cast<std::size_t>(n - i);
      N value = repeat ? first : load_partial<N>(from + i, count);
      if (accumulate) value = value + load_partial<N>(to + i, count);
      store_partial(value, to + i, count);
    }
  }
};

/// Copies rows and columns [0, rows) x [0, columns), tile by tile, so that a transpose finds its
/// cache lines again.
template <class From, class To>
void copy_plane(const From* from, Index from_row, Index from_column, To* to, Index to_row,
                Index to_column, Index rows, Index columns, bool accumulate) {
  using N = CommonCompute<From, To>;
  constexpr Index tile = 32;
  for (Index first_row = 0; first_row < rows; first_row += tile)
    for (Index first_column = 0; first_column < columns; first_column += tile) {
      const Index last_row = std::min(rows, first_row + tile);
      const Index last_column = std::min(columns, first_column + tile);
      for (Index row = first_row; row < last_row; ++row)
        for (Index column = first_column; column < last_column; ++column) {
          const From value = from[row * from_row + column * from_column];
          To& target = to[row * to_row + column * to_column];
          if (accumulate) {
            target = storage_cast<To>(storage_cast<N>(target) + storage_cast<N>(value));
          } else {
            target = storage_cast<To>(value);
          }
        }
    }
}

/// Copies or adds elements from one strided layout to another; see ops/backend.hpp.
template <class From, class To>
void strided_copy(const StridedCopy& asked, const From* from, To* to) {
  const StridedCopy copy = simplified(asked);
  if (copy.extents.size() == 0) return;
  from += copy.from_offset;
  to += copy.to_offset;
  const int rank = copy.extents.rank();
  // The last two axes are a plane; the ones before it count planes.
  const auto extent = [&](int axis) { return axis < 0 ? Index{1} : copy.extents[axis]; };
  const auto stride = [&](const auto& strides, int axis) {
    return axis < 0 ? Index{0} : strides[static_cast<std::size_t>(axis)];
  };
  const Index rows = extent(rank - 2);
  const Index columns = extent(rank - 1);
  const Index from_row = stride(copy.from_strides, rank - 2);
  const Index to_row = stride(copy.to_strides, rank - 2);
  const Index from_column = stride(copy.from_strides, rank - 1);
  const Index to_column = stride(copy.to_strides, rank - 1);
  const Index planes = copy.extents.size() / (rows * columns);

  // A piece is at most a grain of a plane's rows, or of one long row.
  const Index piece_columns = std::min(columns, element_grain);
  const Index piece_rows = std::min(rows, std::max<Index>(1, element_grain / piece_columns));
  const Index row_pieces = (rows + piece_rows - 1) / piece_rows;
  const Index column_pieces = (columns + piece_columns - 1) / piece_columns;
  const Index pieces = planes * row_pieces * column_pieces;
  // Stride 0 in the target: several elements meet in one place, one after the other.
  const bool meet = [&] {
    for (int axis = 0; axis < rank; ++axis)
      if (stride(copy.to_strides, axis) == 0) return true;
    return false;
  }();
  const Index grain =
      meet ? pieces : std::max<Index>(1, element_grain / (piece_rows * piece_columns));
  const bool along = to_column == 1 && (from_column == 1 || from_column == 0);
  const CopyRowKernel<From, To> kernel{from_column == 0, copy.accumulate};

  parallel_for(pieces, grain, [&](Index first, Index last) {
    for (Index piece = first; piece < last; ++piece) {
      const Index column = piece % column_pieces * piece_columns;
      const Index row = piece / column_pieces % row_pieces * piece_rows;
      Index plane = piece / column_pieces / row_pieces;
      Index from_at = row * from_row + column * from_column;
      Index to_at = row * to_row + column * to_column;
      for (int axis = rank - 3; axis >= 0; --axis) {
        const Index position = plane % extent(axis);
        plane /= extent(axis);
        from_at += position * stride(copy.from_strides, axis);
        to_at += position * stride(copy.to_strides, axis);
      }
      const Index row_count = std::min(piece_rows, rows - row);
      const Index column_count = std::min(piece_columns, columns - column);
      if (along) {
        for (Index i = 0; i < row_count; ++i)
          run_as<CommonCompute<From, To>>(kernel, from + from_at + i * from_row,
                                          to + to_at + i * to_row, column_count);
      } else {
        copy_plane(from + from_at, from_row, from_column, to + to_at, to_row, to_column, row_count,
                   column_count, copy.accumulate);
      }
    }
  });
}

}  // namespace halfstep
