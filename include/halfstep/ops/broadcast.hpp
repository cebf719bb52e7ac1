#pragma once

#include <halfstep/ops/backend.hpp>

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI {

using Strides = std::array<Index, Shape::max_rank>;

/// The strides of a contiguous, row-major tensor.
inline Strides contiguous_strides(const Shape& shape) {
  Strides strides{};
  Index stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/// The extents that two shapes broadcast to, as in numpy: aligned at the last axis, extents of 1
/// stretch.
/// @throws ShapeError  two extents differ and neither is 1
inline Shape broadcast_shape(const char* name, const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape shape = longer;
  for (int axis = -1; axis >= -shorter.rank(); --axis) {
    if (longer[axis] != shorter[axis] && longer[axis] != 1 && shorter[axis] != 1)
      fail<ShapeError>(name, ": ", a, " and ", b, " do not broadcast: counted from the end, axis ",
                       axis, " has ", a[axis], " and ", b[axis],
                       "; make them equal, or one of them 1 (reshape)");
    shape[axis] = longer[axis] == 1 ? shorter[axis] : longer[axis];
  }
  return shape;
}

/// The strides that read `from` as if it had the shape `to`: 0 along a stretched axis.
inline Strides broadcast_strides(const Shape& from, const Shape& to) {
  const Strides own = contiguous_strides(from);
  Strides strides{};
  const int missing = to.rank() - from.rank();
  for (int axis = missing; axis < to.rank(); ++axis)
    if (from[axis - missing] == to[axis])
      strides[static_cast<std::size_t>(axis)] = own[static_cast<std::size_t>(axis - missing)];
  return strides;
}

/// The values under a larger shape; the same tensor where it has that shape already.
template <class B, class T>
TensorOf<T, B> broadcast_to(const TensorOf<T, B>& values, const Shape& shape) {
  if (values.shape() == shape) return values;
  TensorOf<T, B> stretched(shape);
  StridedCopy copy;
  copy.extents = shape;
  copy.from_strides = broadcast_strides(values.shape(), shape);
  copy.to_strides = contiguous_strides(shape);
  B::strided_copy(copy, values.data(), stretched.data());
  return stretched;
}

/// The sum over the axes along which `to` was stretched, one rounding at the store.
template <class B, class T, class Map>
void sum_broadcast(const TensorOf<T, B>& values, const Shape& to_shape, const Map& map, T* to,
                   bool accumulate) {
  const Shape& shape = values.shape();
  const Strides to_strides = broadcast_strides(to_shape, shape);
  const auto stretched = [&](int axis) {
    return to_strides[static_cast<std::size_t>(axis)] == 0 && shape[axis] != 1;
  };
  int first = 0;
  int last = shape.rank();
  while (first < last && !stretched(first)) ++first;
  while (first < last && !stretched(last - 1)) --last;
  bool one_run = true;
  for (int axis = first; axis < last; ++axis)
    one_run = one_run && (stretched(axis) || shape[axis] == 1);

  ReduceProblem problem;
  problem.accumulate = accumulate;
  if (one_run) {
    problem.outer = shape.size_between(0, first);
    problem.reduced = shape.size_between(first, last);
    problem.inner = shape.size_between(last, shape.rank());
    B::template reduce<Reduction::sum>(problem, map, to, values.data());
    return;
  }
  // Several separate runs: the stretched axes are brought to the front, and summed at once.
  const Strides own = contiguous_strides(shape);
  StridedCopy copy;
  int place = 0;
  for (const bool wanted : {true, false})
    for (int axis = 0; axis < shape.rank(); ++axis)
      if (stretched(axis) == wanted) {
        copy.extents = copy.extents.with_last(shape[axis]);
        copy.from_strides[static_cast<std::size_t>(place++)] = own[static_cast<std::size_t>(axis)];
        (wanted ? problem.reduced : problem.inner) *= shape[axis];
      }
  copy.to_strides = contiguous_strides(copy.extents);
  TensorOf<T, B> ordered(copy.extents);
  B::strided_copy(copy, values.data(), ordered.data());
  B::template reduce<Reduction::sum>(problem, map, to, std::as_const(ordered).data());
}

}  // namespace halfstep
