#pragma once

#include <halfstep/backend/grid/rows.hpp>
#include <halfstep/ops/backend.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// A strided copy: a thread an element.
template <class From, class To>
struct StridedCopyKernel {
  Index extents[Shape::max_rank] = {};  // equal copies have equal bytes
  Index from_strides[Shape::max_rank] = {};
  Index to_strides[Shape::max_rank] = {};
  int rank;
  Index size, from_offset, to_offset;
  bool accumulate;
  const From* from;
  To* to;

  StridedCopyKernel(const StridedCopy& copy, const From* from, To* to)
      : rank(copy.extents.rank()),
        size(copy.extents.size()),
        from_offset(copy.from_offset),
        to_offset(copy.to_offset),
        accumulate(copy.accumulate),
        from(from),
        to(to) {
    for (int axis = 0; axis < rank; ++axis) {
      extents[axis] = copy.extents[axis];
      from_strides[axis] = copy.from_strides[static_cast<std::size_t>(axis)];
      to_strides[axis] = copy.to_strides[static_cast<std::size_t>(axis)];
    }
  }

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    using N = CommonCompute<From, To>;
    block.own([&](int thread) {
      Index rest = block.index() * block.threads() + thread;
      if (rest >= size) return;
      Index from_at = from_offset, to_at = to_offset;
      for (int axis = rank - 1; axis >= 0; --axis) {
        const Index position = rest % extents[axis];
        rest /= extents[axis];
        from_at += position * from_strides[axis];
        to_at += position * to_strides[axis];
      }
      if (accumulate)
        to[to_at] = storage_cast<To>(storage_cast<N>(to[to_at]) + storage_cast<N>(from[from_at]));
      else
        to[to_at] = storage_cast<To>(from[from_at]);
    });
  }
};

/// out[i] = table[index[i]]: a block a row. An index that names no row gives NaN.
template <class T>
struct GatherKernel {
  Index width, rows;
  const T* table;
  const std::int32_t* index;
  T* out;
  IndexError* error;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index i = block.index();
    block.own([&](int thread) {
      const std::int32_t row = index[i];
      const bool wrong = row < 0 || row >= rows;
      if (wrong && thread == 0) error->refuses(IndexError::gather_rows, row, i, rows);
      for (Index j = thread; j < width; j += block.threads())
        out[i * width + j] = wrong ? storage_cast<T>(std::numeric_limits<float>::quiet_NaN())
                                   : table[row * width + j];
    });
  }
};

/// table[r] += the values whose index is r, in their order: a block a row of the table. Each block
/// reads all indices; nothing is sorted, and no two blocks add to one number.
template <class T>
struct ScatterAddKernel {
  static constexpr int tile = 1024;  ///< indices that a block looks at together
  static constexpr int columns = 4;  ///< that a thread adds up at once

  Index n, width, rows;
  const T* values;
  const std::int32_t* index;
  T* table;
  IndexError* error;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void operator()(Block& block) const {
    const Index at_once = block.threads() * columns;
    for (Index first_column = 0; first_column < width; first_column += at_once)
      add_columns(block, first_column);
  }

 private:
  using N = RowScalar<T>;

  HALFSTEP_CALLS_EITHER
  template <class Block>
  HALFSTEP_HOST_DEVICE void add_columns(Block& block, Index first_column) const {
    const Index row = block.index();
    std::uint8_t* const named = block.template shared<std::uint8_t, tile, 0>();
    typename Block::template PerThread<N> sums[columns];
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int c = 0; c < columns; ++c) {
        const Index column = first_column + c * block.threads() + thread;
        sums[c][thread] = column < width ? storage_cast<N>(table[row * width + column]) : N(0);
      }
    });
    for (Index first = 0; first < n; first += tile) {
      const Index count = smaller(tile, n - first);
      typename Block::template PerThread<int> found;
      block.own([&](int thread) {
        found[thread] = 0;
        for (Index i = thread; i < count; i += block.threads()) {
          const std::int32_t name = index[first + i];
          if (row == 0) error->refuses(IndexError::scatter_add_rows, name, first + i, rows);
          named[i] = name == row ? 1 : 0;
          found[thread] += named[i];
        }
      });
      // Most rows of a large table are named by few indices, and most tiles name none of them.
      if (combine_block<int, 1>(block, found, Sum()) == 0) continue;
      block.each([&](int thread) {
        for (Index i = 0; i < count; ++i) {
          if (named[i] == 0) continue;
          HALFSTEP_UNROLL
          for (int c = 0; c < columns; ++c) {
            const Index column = first_column + c * block.threads() + thread;
            if (column < width)
              sums[c][thread] += storage_cast<N>(values[(first + i) * width + column]);
          }
        }
      });
    }
    block.own([&](int thread) {
      HALFSTEP_UNROLL
      for (int c = 0; c < columns; ++c) {
        const Index column = first_column + c * block.threads() + thread;
        if (column < width) table[row * width + column] = storage_cast<T>(sums[c][thread]);
      }
    });
  }
};

}  // namespace halfstep
