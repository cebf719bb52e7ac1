#pragma once

#include <halfstep/autograd/variable.hpp>

#include <optional>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// A parameter as a leaf: its gradient lies in an arena, beside those of others.
template <class T, class B>
class ParameterSlot final : public Slot<T, B> {
 public:
  using Destination = typename Slot<T, B>::Destination;

  /// @param arena  of gradients; it may be allocated later
  ParameterSlot(TensorOf<T, B>& arena, Index offset, const Shape& shape)
      : Slot<T, B>("parameter", shape), arena_(&arena), offset_(offset) {}

  void backward() override {}
  void for_each_input(void (*)(Node*, void*), void*) const override {}
  TensorRole role() const override { return TensorRole::parameter; }
  bool written() const override { return written_; }
  Destination destination() override {
    if (arena_->empty())
      fail<UsageError>("backward: this loss depends on a model's parameters; hand them over: ",
                       "backward(loss, model.parameters())");
    const bool accumulate = std::exchange(written_, true);
    return {gradient_view(), accumulate};
  }
  void give(const TensorOf<T, B>& gradient) override {
    const Destination to = destination();
    if (to.accumulate)
      B::for_each_element(this->shape_.size(), Add{}, in_out(to.view), in(gradient.view()));
    else
      B::copy(this->shape_.size(), gradient.data(), to.view.data());
  }
  std::optional<ObservedTensor> observed_gradient() const override {
    if (!written_) return std::nullopt;
    return ObservedTensor::of<T, B>(this->label(), this->role(), gradient_view());
  }

  Index offset() const { return offset_; }
  ViewOf<T, B> gradient_view() const { return {arena_->data() + offset_, this->shape_}; }
  /// Before a backward pass: what the arena holds is of the step before.
  void forget() { written_ = false; }
  /// After a backward pass: a gradient that nobody wrote is zero, never stale.
  void settle() {
    if (std::exchange(written_, true)) return;
    B::clear(this->shape_.size(), gradient_view().data());
  }

 private:
  TensorOf<T, B>* arena_;
  Index offset_;
  bool written_ = false;
};

}  // namespace halfstep
