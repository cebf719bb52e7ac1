#pragma once

#include <halfstep/autograd/variable.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/ops/broadcast.hpp>
#include <halfstep/ops/formulas_arithmetic.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// Completing this with two different types refuses an operation on both.
template <class S1, class S2>
struct OneStorageType {
  static_assert(std::is_same_v<S1, S2>,
                "halfstep: an operation on two storage types needs an explicit cast<T>() of one of "
                "them, so that every rounding is written down");
  static constexpr bool value = true;
};

/// Two variables that an operation refuses to mix. Its overload only holds the sentence.
template <class S1, class S2>
concept MixedStorage = !std::is_same_v<S1, S2>;

namespace autograd {

/// The end of a refused overload: completes the sentence and has a type, so that nothing follows.
template <class S1, class B1, class S2, class B2>
Variable<S1, B1> refuse_mixed(const Variable<S1, B1>& a, const Variable<S2, B2>&) {
  static_assert(OneStorageType<S1, S2>::value);
  return a;
}

/// @throws ShapeError  an input has no elements (a batch of zero rows)
template <class... Inputs>
void require_elements(const char* name, const Inputs&... inputs) {
  const auto check = [&](const auto& input) {
    if (input.size() == 0)
      fail<ShapeError>(name, ": an input of shape ", input.shape(),
                       " has no elements; leave an empty batch out");
  };
  (check(inputs), ...);
}

/// What an operation is called with, for messages: "[2, 3] float16".
template <class S, class B>
struct Described {
  const Variable<S, B>& variable;
  friend std::ostream& operator<<(std::ostream& out, const Described& described) {
    return out << described.variable.shape() << " " << numeric_traits<S>::name;
  }
};
template <class S, class B>
Described<S, B> described(const Variable<S, B>& variable) {
  return {variable};
}

/// Every element one value.
struct SetTo {
  float value;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& x) const {
    x = N(value);
  }
};

/// Writes the elementwise pass `pass(gradient&, ins...)` over `shape` to an input's gradient: into
/// `reusable`, a tensor that nobody needs any more (often the upstream itself), where it is the
/// first gradient; summed over the axes along which the input was stretched.
template <class T, class B, class Pass, class... Ins>
void contribute(Slot<T, B>& slot, const Shape& shape, TensorOf<T, B>* reusable, const Pass& pass,
                const Ins&... ins) {
  const Index n = shape.size();
  const auto run = [&](T* to) { B::for_each_element(n, pass, Out<T>{to}, In<T>{ins.data()}...); };
  if (slot.shape() != shape) {
    TensorOf<T, B> full(shape);
    run(full.data());
    const auto to = slot.destination();
    sum_broadcast<B>(full, slot.shape(), formulas::Identity{}, to.view.data(), to.accumulate);
  } else if (reusable != nullptr && reusable->unique() && !slot.written()) {
    run(reusable->data());
    slot.give(*reusable);
  } else {
    const auto to = slot.destination();
    if (!to.accumulate) return run(to.view.data());
    TensorOf<T, B> more(shape);
    run(more.data());
    B::for_each_element(n, Add{}, in_out(to.view), in(more.read()));
  }
}

/// The gradient of an operation that hands on its upstream unchanged, but for stretched axes.
template <class T, class B>
void pass_on(Slot<T, B>& slot, const TensorOf<T, B>& upstream) {
  if (slot.shape().size() == upstream.size()) return slot.give(upstream);
  const auto to = slot.destination();
  sum_broadcast<B>(upstream, slot.shape(), formulas::Identity{}, to.view.data(), to.accumulate);
}

}  // namespace autograd
}  // namespace halfstep
