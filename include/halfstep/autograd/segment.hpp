#pragma once

#include <halfstep/autograd/variable.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/ops/finite_check.hpp>
#include <halfstep/ops/formula.hpp>

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::autograd {

template <class T, class B>
class Segment;

/// sum += x total_scale / x_scale: gradients of one loss scale added to those of another.
struct AddAtScale {
  const double* total_scale;
  const double* x_scale;
  struct Ready {
    double ratio;
    template <class N>
    HALFSTEP_INLINE void operator()(N& sum, const N& x) const {
      sum = sum + x * constant<N>(ratio);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const { return {*total_scale / *x_scale}; }
};

/// A parameter as a leaf: its gradient lies in its segment's arena.
template <class T, class B>
class ParameterSlot final : public Slot<T, B> {
 public:
  using Destination = typename Slot<T, B>::Destination;

  ParameterSlot(Segment<T, B>& segment, Index offset, const Shape& shape)
      : Slot<T, B>("parameter", shape), segment_(&segment), offset_(offset) {}

  void backward() override {}
  void for_each_input(void (*)(Node*, void*), void*) const override {}
  TensorRole role() const override { return TensorRole::parameter; }
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
  std::optional<ObservedTensor> observed_gradient() const override {
    if (!written_) return std::nullopt;
    return ObservedTensor::of<T, B>(this->label(), this->role(), gradient_view());
  }

  Index offset() const { return offset_; }
  ViewOf<T, B> gradient_view() const;
  /// Before a backward pass: what the arena holds is of the step before.
  void forget() { written_ = false; }
  /// After a backward pass: a gradient that nobody wrote is zero, never stale.
  void settle() {
    if (std::exchange(written_, true)) return;
    B::clear(this->shape_.size(), gradient_view().data());
  }

 private:
  Segment<T, B>* segment_;
  Index offset_;
  bool written_ = false;
};

/// Parameters of one storage type and one group, one after the other in flat arenas, so that an
/// optimizer's step is one pass over memory. What does not depend on the type at compile time.
template <class B>
class SegmentBase {
 public:
  /// Parameters start at multiples of this many elements: a cache line in any storage type.
  static constexpr Index alignment = 32;

  SegmentBase(std::string_view storage, int group, bool frozen)
      : storage_(storage), group_(group), frozen_(frozen) {}
  virtual ~SegmentBase() = default;
  SegmentBase(const SegmentBase&) = delete;
  SegmentBase& operator=(const SegmentBase&) = delete;

  /// The name of the type that the weights are stored in.
  std::string_view storage() const { return storage_; }
  bool has_16_bits() const {
    return storage_ == numeric_traits<float16>::name || storage_ == numeric_traits<bfloat16>::name;
  }
  int group() const { return group_; }
  bool frozen() const { return frozen_; }
  Index size() const { return size_; }

  /// Reserves room; returns the offset.
  Index reserve(const Shape& shape) {
    const Index offset = size_;
    size_ += (shape.size() + alignment - 1) / alignment * alignment;
    return offset;
  }

  /// The FP32 values of 16-bit weights: from the initialiser until an optimizer that keeps masters
  /// takes them over, or one that keeps none drops them. Empty for 32-bit storage.
  TensorOf<float, B>& masters() { return masters_; }
  /// Sums over micro-batches in FP32, where a policy asks for them; empty until then.
  TensorOf<float, B>& accumulators() { return accumulators_; }

  virtual void allocate() = 0;
  virtual void allocate_gradients() = 0;
  virtual Index value_bytes() const = 0;
  virtual bool has_gradients() const = 0;
  /// Before a backward pass: gradients are of the step before.
  virtual void forget_gradients() = 0;
  /// After one: gradients that nobody wrote are zero.
  virtual void settle_gradients() = 0;
  /// Adds this backward pass's gradients to the FP32 sums, or begins the sums with them.
  virtual void accumulate(bool first) = 0;
  /// Takes what the arena holds out of the way of a pass at another loss scale; adds that pass's
  /// gradients to it, at the scale of the total; and makes it what the arena holds again.
  virtual void set_aside(bool accumulated) = 0;
  virtual void add_to_set_aside(const double* total_scale, const double* pass_scale) = 0;
  virtual void put_back() = 0;
  /// Reads all gradients, or the FP32 sums, once.
  virtual void check_gradients(bool accumulated, FiniteCheck* into) const = 0;
  virtual void check_gradient(bool accumulated, Index offset, Index count,
                              FiniteCheck* into) const = 0;
  /// Reads a part of the gradients, or of the FP32 sums, as they are stored.
  virtual void read_gradients(bool accumulated, Index offset, std::span<float> values) const = 0;
  /// Writes FP32 values, to the masters where there are any, and rounded to the weights.
  virtual void write(Index offset, std::span<const float> values) = 0;
  /// Reads the most exact values there are: the masters, else the weights.
  virtual void read(Index offset, std::span<float> values) const = 0;
  /// Reads weights as they are stored.
  virtual void read_stored(Index offset, std::span<std::byte> bytes) const = 0;

 protected:
  Index size_ = 0;
  TensorOf<float, B> masters_;
  TensorOf<float, B> accumulators_;

 private:
  std::string_view storage_;
  int group_;
  bool frozen_;
};

/// A segment whose weights and gradients are stored as `T`.
template <class T, class B>
class Segment final : public SegmentBase<B> {
 public:
  using Storage = T;
  /// Whether FP32 masters are kept beside the values.
  static constexpr bool has_masters = numeric_traits<T>::is_16_bit;

  Segment(int group, bool frozen) : SegmentBase<B>(numeric_traits<T>::name, group, frozen) {}

  TensorOf<T, B>& values() { return values_; }
  TensorOf<T, B>& gradients() { return gradients_; }
  std::vector<Handle<ParameterSlot<T, B>>>& slots() { return slots_; }

  void allocate() override {
    values_ = cleared<T>();
    if constexpr (has_masters) masters_ = cleared<float>();
  }
  void allocate_gradients() override {
    if (gradients_.empty()) gradients_ = cleared<T>();
  }
  Index value_bytes() const override { return values_.size() * Index{sizeof(T)}; }
  bool has_gradients() const override { return !gradients_.empty(); }
  void forget_gradients() override {
    for (auto& slot : slots_) slot->forget();
  }
  void settle_gradients() override {
    for (auto& slot : slots_) slot->settle();
  }
  void accumulate(bool first) override {
    if (accumulators_.empty()) accumulators_ = TensorOf<float, B>({size_});
    if (first)
      B::convert(size_, std::as_const(gradients_).data(), accumulators_.data());
    else
      B::for_each_element(size_, Add{}, in_out(accumulators_.view()), in(gradients_.read()));
  }
  void set_aside(bool accumulated) override {
    if constexpr (has_masters) {
      if (!accumulated) accumulate(true);
    } else {
      if (aside_.empty()) aside_ = cleared<T>();
      std::swap(gradients_, aside_);
    }
  }
  void add_to_set_aside(const double* total_scale, const double* pass_scale) override {
    const AddAtScale add{total_scale, pass_scale};
    if constexpr (has_masters)
      B::for_each_element(size_, add, in_out(accumulators_.view()), in(gradients_.read()));
    else
      B::for_each_element(size_, add, in_out(aside_.view()), in(gradients_.read()));
  }
  void put_back() override {
    if constexpr (!has_masters) std::swap(gradients_, aside_);
  }
  void check_gradients(bool accumulated, FiniteCheck* into) const override {
    check_gradient(accumulated, 0, size_, into);
  }
  void check_gradient(bool accumulated, Index offset, Index count,
                      FiniteCheck* into) const override {
    if (accumulated && !accumulators_.empty())
      B::check_finite(count, accumulators_.data() + offset, into);
    else
      B::check_finite(count, gradients_.data() + offset, into);
  }
  void read_gradients(bool accumulated, Index offset, std::span<float> values) const override {
    if (accumulated && !accumulators_.empty())
      B::download(accumulators_.data() + offset, values);
    else
      widen(gradients_.data() + offset, values);
  }
  void write(Index offset, std::span<const float> values) override {
    const auto count = static_cast<Index>(values.size());
    TensorOf<float, B> staged({count});
    B::upload(values, staged.data());
    B::convert(count, std::as_const(staged).data(), values_.data() + offset);
    if (!masters_.empty()) B::copy(count, std::as_const(staged).data(), masters_.data() + offset);
  }
  void read(Index offset, std::span<float> values) const override {
    if (!masters_.empty())
      B::download(masters_.data() + offset, values);
    else
      widen(values_.data() + offset, values);
  }
  void read_stored(Index offset, std::span<std::byte> bytes) const override {
    std::vector<T> values(bytes.size() / sizeof(T));
    B::download(values_.data() + offset, std::span<T>(values));
    std::memcpy(bytes.data(), values.data(), bytes.size());
  }

 private:
  using SegmentBase<B>::size_;
  using SegmentBase<B>::masters_;
  using SegmentBase<B>::accumulators_;

  template <class U>
  TensorOf<U, B> cleared() const {
    TensorOf<U, B> arena({size_});
    B::clear(size_, arena.data());
    return arena;
  }
  static void widen(const T* from, std::span<float> values) {
    TensorOf<float, B> staged(Shape{static_cast<Index>(values.size())});
    B::convert(staged.size(), from, staged.data());
    B::download(std::as_const(staged).data(), values);
  }

  TensorOf<T, B> values_;
  TensorOf<T, B> gradients_;
  TensorOf<T, B> aside_;  ///< of 32-bit storage; what has 16 bits is added up in the accumulators
  std::vector<Handle<ParameterSlot<T, B>>> slots_;
};

template <class T, class B>
ViewOf<T, B> ParameterSlot<T, B>::gradient_view() const {
  return {segment_->gradients().data() + offset_, this->shape_};
}

}  // namespace halfstep
