#pragma once

#include <halfstep/autograd/gradient_flow.hpp>
#include <halfstep/ops/formulas_loss.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// scale * the sum of all elements.
template <class S, class B>
Variable<typename numeric_traits<S>::compute, B> total(const char* name, const Variable<S, B>& x,
                                                       double scale) {
  using Scalar = typename numeric_traits<S>::compute;
  const bool wanted = recorded(name, x);
  TensorOf<Scalar, B> y(Shape{});
  B::template reduce<Reduction::sum>(ReduceProblem{.reduced = x.size(), .scale = scale},
                                     formulas::Identity{}, y.data(), x.value().data());
  if (!wanted) return unrecorded<B, Scalar>(name, std::move(y), x);
  return record<B, Scalar>(
      name, std::move(y),
      [scale](const TensorOf<Scalar, B>& g, Slot<S, B>* slot) {
        contribute<S, B>(*slot, slot->shape(), nullptr,
                         formulas::FillWith<Scalar>{g.data(), scale});
      },
      x);
}

/// scale * the sum over one axis.
template <class S, class B>
Variable<S, B> axis_sum(const char* name, const Variable<S, B>& x, int axis, bool keep,
                        double scale) {
  const bool wanted = recorded(name, x);
  const Shape& shape = x.shape();
  axis = shape.normal(axis);
  Shape kept = shape;
  kept[axis] = 1;
  TensorOf<S, B> y(keep ? kept : shape.without(axis));
  const ReduceProblem problem{.outer = shape.size_between(0, axis),
                              .reduced = shape[axis],
                              .inner = shape.size_between(axis + 1, shape.rank()),
                              .scale = scale};
  B::template reduce<Reduction::sum>(problem, formulas::Identity{}, y.data(), x.value().data());
  if (!wanted) return unrecorded<B, S>(name, std::move(y), x);
  return record<B, S>(
      name, std::move(y),
      [scale, kept](TensorOf<S, B> g, Slot<S, B>* slot) {
        if (scale != 1.0) {
          TensorOf<S, B> scaled = g.unique() ? g : TensorOf<S, B>(g.shape());
          B::for_each_element(g.size(), ValuePass<formulas::Scale>{{scale}}, out(scaled.view()),
                              in(g.read()));
          g = std::move(scaled);
        }
        const auto to = slot->destination();
        StridedCopy copy;
        copy.extents = slot->shape();
        copy.from_strides = broadcast_strides(kept, slot->shape());
        copy.to_strides = contiguous_strides(slot->shape());
        copy.accumulate = to.accumulate;
        B::strided_copy(copy, g.read().data(), to.view.data());
      },
      x);
}

}  // namespace autograd

/// The sum of all elements, a scalar of the compute type (float for 16-bit storage): it can be a
/// loss.
/// @numerics  a fixed tree in the compute type
template <class S, class B>
auto sum(const Variable<S, B>& x) {
  autograd::require_elements("sum", x);
  return autograd::total("sum", x, 1.0);
}

/// The mean of all elements, a scalar of the compute type (float for 16-bit storage).
template <class S, class B>
auto mean(const Variable<S, B>& x) {
  autograd::require_elements("mean", x);
  return autograd::total("mean", x, 1.0 / static_cast<double>(x.size()));
}

/// The sum over one axis (-1 is the last), which goes, or stays with extent 1 where `keep`.
/// @throws ShapeError  there is no such axis
/// @numerics  summed in the compute type; one rounding to the storage type, at the store
template <class S, class B>
Variable<S, B> sum(const Variable<S, B>& x, int axis, bool keep = false) {
  autograd::require_elements("sum", x);
  return autograd::axis_sum("sum", x, axis, keep, 1.0);
}

/// The mean over one axis (-1 is the last), which goes, or stays with extent 1 where `keep`.
/// @throws ShapeError  there is no such axis
template <class S, class B>
Variable<S, B> mean(const Variable<S, B>& x, int axis, bool keep = false) {
  autograd::require_elements("mean", x);
  return autograd::axis_sum("mean", x, axis, keep, 1.0 / static_cast<double>(x.shape()[axis]));
}

}  // namespace halfstep
