#pragma once

#include <halfstep/autograd/node.hpp>
#include <halfstep/ops/backend.hpp>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// Adds one array to another.
struct Add {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& sum, const N& x) const {
    sum = sum + x;
  }
};

/// A node whose value is a tensor of `T`: where its gradient is gathered.
template <class T, class B>
class Slot : public Node {
 public:
  /// Where a gradient goes, and whether it adds to what is there: the first one overwrites, so that
  /// nothing has to be zeroed.
  struct Destination {
    ViewOf<T, B> view;
    bool accumulate;
  };

  Slot(const char* name, const Shape& shape) : Node(name), shape_(shape) {}

  const Shape& shape() const { return shape_; }
  /// Whether a gradient has arrived.
  virtual bool written() const { return !gradient_.empty(); }
  /// For an operation that writes its input's gradient itself.
  virtual Destination destination() {
    const bool first = gradient_.empty();
    if (first)
      gradient_ = TensorOf<T, B>(shape_);
    else if (!gradient_.unique())
      own();
    return {gradient_.view(), !first};
  }
  /// For an operation whose input's gradient is a tensor that it already holds.
  virtual void give(const TensorOf<T, B>& gradient) {
    if (gradient_.empty()) {
      gradient_ = gradient.reshaped(shape_);
    } else {
      const Destination to = destination();
      B::for_each_element(shape_.size(), Add{}, in_out(to.view), in(gradient.view()));
    }
  }
  std::optional<ObservedTensor> observed_gradient() const override {
    if (gradient_.empty()) return std::nullopt;
    return ObservedTensor::of<T, B>(this->label(), this->role(), gradient_.read());
  }
  /// The gradient gathered so far (empty where none arrived).
  const TensorOf<T, B>& gradient() const { return gradient_; }

 protected:
  /// A gradient that was given may be shared with the giver's other inputs.
  void own() {
    TensorOf<T, B> copy(shape_);
    B::copy(shape_.size(), std::as_const(gradient_).data(), copy.data());
    gradient_ = std::move(copy);
  }

  Shape shape_;
  TensorOf<T, B> gradient_;
};

/// A leaf that is no parameter: its gradient stays with it.
template <class T, class B>
class LeafSlot final : public Slot<T, B> {
 public:
  explicit LeafSlot(const Shape& shape) : Slot<T, B>("leaf", shape) {}
  void backward() override {}
  void for_each_input(void (*)(Node*, void*), void*) const override {}
  TensorRole role() const override { return TensorRole::leaf; }
  void clear() { this->gradient_ = {}; }
};

}  // namespace halfstep
