#pragma once

#include <halfstep/autograd/gradient_flow.hpp>

#include <initializer_list>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// The same elements under another shape; nothing is copied.
/// @throws ShapeError  the sizes differ
template <class S, class B>
Variable<S, B> reshape(const Variable<S, B>& x, const Shape& shape) {
  autograd::require_elements("reshape", x);
  const bool wanted = autograd::recorded("reshape", x);
  TensorOf<S, B> y = x.value().reshaped(shape);
  if (!wanted) return autograd::unrecorded<B, S>("reshape", std::move(y), x);
  return autograd::record<B, S>(
      "reshape", std::move(y),
      [](const TensorOf<S, B>& g, autograd::Slot<S, B>* slot) { slot->give(g); }, x);
}

/// The same elements under another shape, of which one extent may be -1: what is left.
/// @throws ShapeError  the sizes differ
template <class S, class B>
Variable<S, B> reshape(const Variable<S, B>& x, std::initializer_list<Index> extents) {
  Index known = 1;
  int open = 0;
  for (const Index extent : extents) extent == -1 ? ++open : known *= extent;
  if (open == 0) return reshape(x, Shape(extents));
  if (open > 1 || known == 0 || x.size() % known != 0)
    fail<ShapeError>("reshape: ", x.shape(), " with ", x.size(),
                     " elements does not leave a whole ", "number for the extent -1 beside ",
                     known);
  std::array<Index, Shape::max_rank> filled{};
  if (extents.size() > filled.size())
    fail<ShapeError>("reshape: rank ", extents.size(), " is above the largest, ", Shape::max_rank);
  std::size_t count = 0;
  for (const Index extent : extents) filled[count++] = extent == -1 ? x.size() / known : extent;
  return reshape(x, Shape(std::span<const Index>(filled.data(), count)));
}

/// Two axes exchanged (by default the last two); the elements are copied.
/// @throws ShapeError  there is no such axis
template <class S, class B>
Variable<S, B> transpose(const Variable<S, B>& x, int first = -2, int second = -1) {
  autograd::require_elements("transpose", x);
  const bool wanted = autograd::recorded("transpose", x);
  const auto one = static_cast<std::size_t>(x.shape().normal(first));
  const auto other = static_cast<std::size_t>(x.shape().normal(second));
  StridedCopy copy;
  copy.extents = x.shape();
  std::swap(copy.extents[first], copy.extents[second]);
  copy.from_strides = contiguous_strides(x.shape());
  std::swap(copy.from_strides[one], copy.from_strides[other]);
  copy.to_strides = contiguous_strides(copy.extents);
  TensorOf<S, B> y(copy.extents);
  B::strided_copy(copy, x.value().data(), y.data());
  if (!wanted) return autograd::unrecorded<B, S>("transpose", std::move(y), x);
  return autograd::record<B, S>(
      "transpose", std::move(y),
      [copy](const TensorOf<S, B>& g, autograd::Slot<S, B>* slot) {
        const auto to = slot->destination();
        StridedCopy back = copy;
        std::swap(back.from_strides, back.to_strides);
        back.accumulate = to.accumulate;
        B::strided_copy(back, g.data(), to.view.data());
      },
      x);
}

/// `count` positions of an axis, from `first`.
/// @throws ShapeError  they are not there
template <class S, class B>
Variable<S, B> slice(const Variable<S, B>& x, int axis, Index first, Index count) {
  autograd::require_elements("slice", x);
  const bool wanted = autograd::recorded("slice", x);
  const int at = x.shape().normal(axis);
  if (first < 0 || count < 1 || first + count > x.shape()[at])
    fail<ShapeError>("slice: positions ", first, " to ", first + count - 1, " of axis ", axis,
                     " of ", autograd::described(x), " are not all there");
  StridedCopy copy;
  copy.extents = x.shape();
  copy.extents[at] = count;
  copy.from_strides = contiguous_strides(x.shape());
  copy.from_offset = first * copy.from_strides[static_cast<std::size_t>(at)];
  copy.to_strides = contiguous_strides(copy.extents);
  TensorOf<S, B> y(copy.extents);
  B::strided_copy(copy, x.value().data(), y.data());
  if (!wanted) return autograd::unrecorded<B, S>("slice", std::move(y), x);
  return autograd::record<B, S>(
      "slice", std::move(y),
      [copy](const TensorOf<S, B>& g, autograd::Slot<S, B>* slot) {
        const auto to = slot->destination();
        if (!to.accumulate)
          B::for_each_element(to.view.size(), autograd::SetTo{0.0f}, out(to.view));
        StridedCopy back = copy;
        std::swap(back.from_strides, back.to_strides);
        std::swap(back.from_offset, back.to_offset);
        back.accumulate = to.accumulate;
        B::strided_copy(back, g.data(), to.view.data());
      },
      x);
}

/// One after the other along an axis (by default the first); the other extents are equal.
/// @throws ShapeError  they are not, or there is nothing to concatenate
template <class S, class B>
Variable<S, B> concatenate(std::span<const Variable<S, B>> parts, int axis = 0) {
  constexpr std::size_t most = 8;
  if (parts.empty()) fail<ShapeError>("concatenate: there are no parts");
  if (parts.size() > most) {
    // An operation has a fixed number of inputs: eighths first, then those.
    std::array<Variable<S, B>, most> groups;
    const std::size_t each = (parts.size() + most - 1) / most;
    std::size_t count = 0;
    for (std::size_t from = 0; from < parts.size(); from += each)
      groups[count++] = concatenate(parts.subspan(from, std::min(each, parts.size() - from)), axis);
    return concatenate(std::span<const Variable<S, B>>(groups.data(), count), axis);
  }
  const int at = parts[0].shape().normal(axis);
  Shape shape = parts[0].shape();
  shape[at] = 0;
  bool wanted = false;
  for (const Variable<S, B>& part : parts) {
    autograd::require_elements("concatenate", part);
    wanted = autograd::recorded("concatenate", part) || wanted;
    bool fits = part.shape().rank() == shape.rank();
    for (int i = 0; fits && i < shape.rank(); ++i) fits = i == at || part.shape()[i] == shape[i];
    if (!fits)
      fail<ShapeError>("concatenate: ", autograd::described(parts[0]), " and ",
                       autograd::described(part), " differ beside axis ", axis,
                       "; slice or reshape them to fit");
    shape[at] += part.shape()[at];
  }
  TensorOf<S, B> y(shape);
  // Part i's rectangle of the whole, as a copy out of the whole.
  const auto rectangle = [at, strides = contiguous_strides(shape)](const Shape& part,
                                                                   Index& position) {
    StridedCopy copy;
    copy.extents = part;
    copy.from_strides = strides;
    copy.from_offset = position * strides[static_cast<std::size_t>(at)];
    copy.to_strides = contiguous_strides(part);
    position += part[at];
    return copy;
  };
  std::array<Variable<S, B>, most> inputs;
  std::array<Shape, most> shapes;
  Index position = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    inputs[i] = parts[i];
    shapes[i] = parts[i].shape();
    StridedCopy copy = rectangle(shapes[i], position);
    std::swap(copy.from_strides, copy.to_strides);
    std::swap(copy.from_offset, copy.to_offset);
    B::strided_copy(copy, parts[i].value().data(), y.data());
  }
  const auto backward = [rectangle, shapes, count = parts.size()](const TensorOf<S, B>& g,
                                                                  auto*... slots) {
    const std::array<autograd::Slot<S, B>*, most> to{slots...};
    Index position = 0;
    for (std::size_t i = 0; i < count; ++i) {
      StridedCopy copy = rectangle(shapes[i], position);
      if (to[i] == nullptr) continue;
      const auto destination = to[i]->destination();
      copy.accumulate = destination.accumulate;
      B::strided_copy(copy, g.data(), destination.view.data());
    }
  };
  return std::apply(
      [&](const auto&... each) {
        return wanted ? autograd::record<B, S>("concatenate", std::move(y), backward, each...)
                      : autograd::unrecorded<B, S>("concatenate", std::move(y), each...);
      },
      inputs);
}

template <class S, class B>
Variable<S, B> concatenate(std::initializer_list<Variable<S, B>> parts, int axis = 0) {
  return concatenate(std::span<const Variable<S, B>>(parts.begin(), parts.size()), axis);
}

}  // namespace halfstep
