#pragma once

#include <halfstep/autograd/parameter_slot.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/numeric/two_parts.hpp>
#include <halfstep/ops/finite_check.hpp>
#include <halfstep/ops/formula.hpp>

#include <cstring>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::autograd {

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

/// What is kept beside 16-bit weights, so that updates smaller than half an ulp survive.
enum class Beside {
  nothing,       ///< the weight is all there is
  master,        ///< an FP32 master: 4 bytes
  remainder,     ///< 16 bits that make the weight an FP32 master (RemainderParts): 2 bytes
  compensation,  ///< what rounding took, in the weight's type (CompensatedParts): 2 bytes
};

/// full = the weight and what lies beside it, in FP32.
template <class Parts>
struct JoinPass {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(N& full, const N& weight,
                                                       const N& rest) const {
    full = Parts::join(weight, rest);
  }
};
template <class Parts>
struct SplitPass {
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& full, N& weight, N& rest) const {
    Parts::split(full, weight, rest);
  }
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

  /// What is kept beside the weights. 16-bit weights begin with masters, which hold what the
  /// initialiser gave, until an optimizer keeps something else.
  Beside beside() const { return beside_; }
  /// The FP32 values of 16-bit weights, where they are kept.
  TensorOf<float, B>& masters() { return masters_; }
  TensorOf<remainder16, B>& remainders() { return remainders_; }
  /// Sums over micro-batches in FP32, where a policy asks for them; empty until then.
  TensorOf<float, B>& accumulators() { return accumulators_; }

  virtual void allocate() = 0;
  virtual void allocate_gradients() = 0;
  virtual Index value_bytes() const = 0;
  virtual Index gradient_bytes() const = 0;
  /// Of what is kept beside the weights.
  virtual Index beside_bytes() const = 0;
  /// Keeps something else beside the weights from now on, made from the most exact values there
  /// are. 32-bit weights have nothing beside them.
  virtual void keep(Beside what) = 0;
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
  /// Writes FP32 values, to what is kept beside the weights too, and rounded to the weights.
  virtual void write(Index offset, std::span<const float> values) = 0;
  /// Reads the most exact values there are.
  virtual void read(Index offset, std::span<float> values) const = 0;
  /// Reads weights as they are stored.
  virtual void read_stored(Index offset, std::span<std::byte> bytes) const = 0;

 protected:
  Index size_ = 0;
  Beside beside_ = Beside::nothing;
  TensorOf<float, B> masters_;
  TensorOf<remainder16, B> remainders_;
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
  /// What the most exact values are computed in.
  using Full = Compute<T>;
  /// Whether something may be kept beside the values.
  static constexpr bool has_masters = numeric_traits<T>::is_16_bit;

  Segment(int group, bool frozen) : SegmentBase<B>(numeric_traits<T>::name, group, frozen) {}

  TensorOf<T, B>& values() { return values_; }
  TensorOf<T, B>& gradients() { return gradients_; }
  TensorOf<T, B>& compensations() { return compensations_; }
  std::vector<Handle<ParameterSlot<T, B>>>& slots() { return slots_; }

  void allocate() override {
    values_ = cleared<T>();
    if constexpr (has_masters) {
      masters_ = cleared<float>();
      beside_ = Beside::master;
    }
  }
  void allocate_gradients() override {
    if (gradients_.empty()) gradients_ = cleared<T>();
  }
  Index value_bytes() const override { return values_.size() * Index{sizeof(T)}; }
  Index gradient_bytes() const override { return gradients_.size() * Index{sizeof(T)}; }
  Index beside_bytes() const override {
    return masters_.size() * Index{sizeof(float)} +
           remainders_.size() * Index{sizeof(remainder16)} +
           compensations_.size() * Index{sizeof(T)};
  }
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
  void keep([[maybe_unused]] Beside what) override {
    if constexpr (has_masters) {
      if (what == beside_) return;
      const TensorOf<Full, B> full = full_values();
      masters_ = {};
      remainders_ = {};
      compensations_ = {};
      beside_ = what;
      if (what == Beside::nothing) return;  // the weights stay what they are
      if (what == Beside::master) masters_ = TensorOf<float, B>({size_});
      if (what == Beside::remainder) remainders_ = cleared<remainder16>();
      if (what == Beside::compensation) compensations_ = cleared<T>();
      store_full(0, size_, full.data());
    }
  }
  /// All values, as exact as there are: the masters' own memory, or a tensor made for this call.
  TensorOf<Full, B> full_values() const {
    if constexpr (has_masters) {
      if (beside_ == Beside::master) return masters_;
    } else {
      return values_;
    }
    TensorOf<Full, B> full({size_});
    load_full(0, size_, full.data());
    return full;
  }
  /// Takes `count` full values to the weights from `offset` on and to what is beside them.
  void store_full(Index offset, Index count, const Full* full) {
    T* const weights = values_.data() + offset;
    if constexpr (has_masters) {
      if (beside_ == Beside::remainder)
        return split<RemainderParts<T>>(count, full, weights, remainders_.data() + offset);
      if (beside_ == Beside::compensation)
        return split<CompensatedParts<T>>(count, full, weights, compensations_.data() + offset);
      if (beside_ == Beside::master) B::copy(count, full, masters_.data() + offset);
    }
    B::convert(count, full, weights);
  }
  void load_full(Index offset, Index count, Full* full) const {
    const T* const weights = values_.data() + offset;
    if constexpr (has_masters) {
      if (beside_ == Beside::remainder)
        return join<RemainderParts<T>>(count, full, weights, remainders_.data() + offset);
      if (beside_ == Beside::compensation)
        return join<CompensatedParts<T>>(count, full, weights, compensations_.data() + offset);
      if (beside_ == Beside::master) return B::copy(count, masters_.data() + offset, full);
    }
    B::convert(count, weights, full);
  }
  void write(Index offset, std::span<const float> values) override {
    const auto count = static_cast<Index>(values.size());
    TensorOf<float, B> staged({count});
    B::upload(values, staged.data());
    if constexpr (std::same_as<Full, float>) {
      store_full(offset, count, std::as_const(staged).data());
    } else {
      B::convert(count, std::as_const(staged).data(), values_.data() + offset);
    }
  }
  void read(Index offset, std::span<float> values) const override {
    const auto count = static_cast<Index>(values.size());
    if constexpr (!std::same_as<Full, float>) {
      widen(values_.data() + offset, values);
    } else if constexpr (B::DeviceType::host_accessible) {
      load_full(offset, count, values.data());
    } else {
      TensorOf<float, B> staged(Shape{count});
      load_full(offset, count, staged.data());
      B::download(std::as_const(staged).data(), values);
    }
  }
  void read_stored(Index offset, std::span<std::byte> bytes) const override {
    std::vector<T> values(bytes.size() / sizeof(T));
    B::download(values_.data() + offset, std::span<T>(values));
    std::memcpy(bytes.data(), values.data(), bytes.size());
  }

 private:
  using SegmentBase<B>::size_;
  using SegmentBase<B>::beside_;
  using SegmentBase<B>::masters_;
  using SegmentBase<B>::remainders_;
  using SegmentBase<B>::accumulators_;

  template <class Parts>
  static void split(Index count, const Full* full, T* weights, typename Parts::Rest* rests) {
    B::for_each_element(count, SplitPass<Parts>{}, In<Full>{full}, Out<T>{weights},
                        Out<typename Parts::Rest>{rests});
  }
  template <class Parts>
  static void join(Index count, Full* full, const T* weights, const typename Parts::Rest* rests) {
    B::for_each_element(count, JoinPass<Parts>{}, Out<Full>{full}, In<T>{weights},
                        In<typename Parts::Rest>{rests});
  }

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
  TensorOf<T, B> compensations_;
  TensorOf<T, B> aside_;  ///< of 32-bit storage; what has 16 bits is added up in the accumulators
  std::vector<Handle<ParameterSlot<T, B>>> slots_;
};

}  // namespace halfstep
