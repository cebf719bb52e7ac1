#pragma once

#include <halfstep/autograd/gradient_flow.hpp>

#include <optional>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// @throws DataError  an index names no row; only where the host can see it
template <class B>
void check_indices(const char* name, const TensorOf<std::int32_t, B>& indices, Index rows) {
  if constexpr (B::DeviceType::host_accessible) {
    const std::int32_t* index = indices.data();
    for (Index i = 0; i < indices.size(); ++i)
      if (index[i] < 0 || index[i] >= rows)
        fail<DataError>(name, ": index ", index[i], " at position ", i, " is not one of the ", rows,
                        " rows, 0 to ", rows - 1);
  }
}

/// Rows of a table by index; where `still` names a row, that one gets no gradient.
template <class S, class B>
Variable<S, B> rows_of(const char* name, const Variable<S, B>& table,
                       const TensorOf<std::int32_t, B>& indices, std::optional<Index> still) {
  require_elements(name, table);
  const bool wanted = recorded(name, table);
  if (table.shape().rank() < 1 || indices.size() == 0)
    fail<ShapeError>(name, ": ", described(table), " by indices ", indices.shape(),
                     ": there must be rows and at least one index");
  const Index rows = table.shape()[0];
  const Index width = table.size() / rows;
  check_indices<B>(name, indices, rows);
  Shape shape = indices.shape();
  for (int axis = 1; axis < table.shape().rank(); ++axis)
    shape = shape.with_last(table.shape()[axis]);
  TensorOf<S, B> y(shape);
  B::gather_rows(indices.size(), width, rows, table.value().data(), indices.data(), y.data());
  if (!wanted) return unrecorded<B, S>(name, std::move(y), table);
  return record<B, S>(
      name, std::move(y),
      [rows, width, indices, still](const TensorOf<S, B>& g, Slot<S, B>* slot) {
        const auto zero = [](Index n, S* to) { B::for_each_element(n, SetTo{0.0f}, Out<S>{to}); };
        if (still) {
          TensorOf<S, B> sums(slot->shape());
          zero(sums.size(), sums.data());
          B::scatter_add_rows(indices.size(), width, rows, g.data(), indices.data(), sums.data());
          zero(width, sums.data() + *still * width);
          return slot->give(sums);
        }
        const auto to = slot->destination();
        if (!to.accumulate) zero(to.view.size(), to.view.data());
        B::scatter_add_rows(indices.size(), width, rows, g.data(), indices.data(), to.view.data());
      },
      table);
}

}  // namespace autograd

/// y[i...] = x[indices[i...]]: rows (positions of the first axis) by index.
///
/// @param x        [rows, ...]
/// @param indices  [...], from 0
/// @return  [indices' extents..., x's other extents...]
/// @throws DataError   an index names no row
/// @throws ShapeError  there is no index
/// @numerics  rows that are taken several times sum their gradients in the compute type
template <class S, class B>
Variable<S, B> gather(const Variable<S, B>& x, const TensorOf<std::int32_t, B>& indices) {
  return autograd::rows_of("gather", x, indices, std::nullopt);
}

/// Rows of `weight` [entries, width] by index; the entry `padding` gets no gradient.
/// @throws DataError   an index, or `padding`, names no entry
template <class S, class B>
Variable<S, B> embedding(const Variable<S, B>& weight, const TensorOf<std::int32_t, B>& indices,
                         std::optional<Index> padding = std::nullopt) {
  if (padding && (*padding < 0 || weight.shape().rank() < 1 || *padding >= weight.shape()[0]))
    fail<DataError>("embedding: the padding entry ", *padding, " is not in the table ",
                    autograd::described(weight));
  return autograd::rows_of("embedding", weight, indices, padding);
}

}  // namespace halfstep
