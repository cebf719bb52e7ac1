#pragma once

#include <halfstep/autograd/variable.hpp>
#include <halfstep/numeric/numeric_traits.hpp>

#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// Sets every element.
struct Fill {
  float value = 0.0f;
  template <class N>
  HALFSTEP_INLINE void operator()(N& x) const {
    x = N(value);
  }
};

/// Copies with a change of storage type: one rounding.
struct Assign {
  template <class N>
  HALFSTEP_INLINE void operator()(N& to, const N& from) const {
    to = from;
  }
};

template <class T, class B>
class Segment;

/// A parameter as a leaf: its gradient lies in its segment's arena.
template <class T, class B>
class ParameterSlot final : public Slot<T, B> {
 public:
  using Destination = typename Slot<T, B>::Destination;

  ParameterSlot(Segment<T, B>& segment, Index offset, const Shape& shape)
      : Slot<T, B>("parameter", shape), segment_(&segment), offset_(offset) {}

  void backward() override {}
  void for_each_input(void (*)(Node*, void*), void*) const override {}
  bool is_leaf() const override { return true; }
  bool written() const override { return written_; }
  Destination destination() override {
    if (segment_->gradients().empty())
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

  Index offset() const { return offset_; }
  ViewOf<T, B> gradient_view();
  /// Before a backward pass: what the arena holds is of the step before.
  void forget() { written_ = false; }
  /// After a backward pass: a gradient that nobody wrote is zero, never stale.
  void settle() {
    if (std::exchange(written_, true)) return;
    B::for_each_element(this->shape_.size(), Fill{}, out(gradient_view()));
  }

 private:
  Segment<T, B>* segment_;
  Index offset_;
  bool written_ = false;
};

/// Parameters of one storage type and one group, one after the other in flat arenas, so that an
/// optimizer's step is one pass over memory.
template <class T, class B>
class Segment {
 public:
  using Storage = T;
  /// Parameters start at multiples of this many elements: a cache line in any storage type.
  static constexpr Index alignment = 32;
  /// Whether FP32 masters are kept beside the values.
  static constexpr bool has_masters = numeric_traits<T>::is_16_bit;

  Segment(int group, bool frozen) : group_(group), frozen_(frozen) {}
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  int group() const { return group_; }
  bool frozen() const { return frozen_; }
  Index size() const { return size_; }

  /// Reserves room; returns the offset.
  Index reserve(const Shape& shape) {
    const Index offset = size_;
    size_ += (shape.size() + alignment - 1) / alignment * alignment;
    return offset;
  }
  void allocate() {
    values_ = TensorOf<T, B>({size_});
    B::for_each_element(size_, Fill{}, out(values_.view()));
    if constexpr (has_masters) {
      masters_ = TensorOf<float, B>({size_});
      B::for_each_element(size_, Fill{}, out(masters_.view()));
    }
  }
  void allocate_gradients() {
    if (!gradients_.empty()) return;
    gradients_ = TensorOf<T, B>({size_});
    B::for_each_element(size_, Fill{}, out(gradients_.view()));
  }

  TensorOf<T, B>& values() { return values_; }
  TensorOf<T, B>& gradients() { return gradients_; }
  /// Sums over micro-batches in FP32, where a policy asks for them; empty until then.
  TensorOf<float, B>& accumulators() { return accumulators_; }
  /// Adds this backward pass's gradients to the FP32 sums, or begins the sums with them.
  void accumulate(bool first) {
    if (accumulators_.empty()) accumulators_ = TensorOf<float, B>({size_});
    if (first)
      B::for_each_element(size_, Assign{}, out(accumulators_.view()), in(gradients_.view()));
    else
      B::for_each_element(size_, Add{}, in_out(accumulators_.view()), in(gradients_.view()));
  }
  /// The FP32 values of 16-bit weights: from the initialiser until an optimizer that keeps masters
  /// takes them over, or one that keeps none drops them. Empty for 32-bit storage.
  TensorOf<float, B>& masters() { return masters_; }
  std::vector<Handle<ParameterSlot<T, B>>>& slots() { return slots_; }

  /// Writes FP32 values, to the masters where there are any, and rounded to the weights.
  void write(Index offset, std::span<const float> values) {
    const auto count = static_cast<Index>(values.size());
    TensorOf<float, B> staged({count});
    B::upload(values, staged.data());
    B::for_each_element(count, Assign{}, Out<T>{values_.data() + offset}, in(staged.view()));
    if (!masters_.empty()) B::copy(count, staged.data(), masters_.data() + offset);
  }
  /// Reads the most exact values there are: the masters, else the weights.
  void read(Index offset, std::span<float> values) {
    const auto count = static_cast<Index>(values.size());
    if (!masters_.empty()) {
      B::download(static_cast<const float*>(masters_.data() + offset), values);
      return;
    }
    TensorOf<float, B> staged({count});
    B::for_each_element(count, Assign{}, out(staged.view()), In<T>{values_.data() + offset});
    B::download(std::as_const(staged).data(), values);
  }

 private:
  int group_;
  bool frozen_;
  Index size_ = 0;
  TensorOf<T, B> values_;
  TensorOf<T, B> gradients_;
  TensorOf<float, B> accumulators_;
  TensorOf<float, B> masters_;
  std::vector<Handle<ParameterSlot<T, B>>> slots_;
};

template <class T, class B>
ViewOf<T, B> ParameterSlot<T, B>::gradient_view() {
  return {segment_->gradients().data() + offset_, this->shape_};
}

}  // namespace halfstep
