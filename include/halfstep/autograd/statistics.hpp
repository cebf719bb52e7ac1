#pragma once

#include <halfstep/autograd/gradient_state.hpp>
#include <halfstep/autograd/recomputation.hpp>
#include <halfstep/ops/formula.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// sum = keep sum + share now.
struct Blend {
  double keep;
  double share;
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& now, N& sum) const {
    const N added = constant<N>(share) * now;
    // What a skipped step left may be NaN, which 0 times does not take away.
    sum = keep == 0.0 ? added : constant<N>(keep) * sum + added;
  }
};
/// value = keep value + fresh, unless the step is skipped.
struct CommitStatistic {
  const GradientState* gradients;
  double keep;
  struct Ready {
    double keep;
    bool skipped;
    HALFSTEP_HOST_DEVICE bool skip() const { return skipped; }
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& fresh, N& value) const {
      value = constant<N>(keep) * value + fresh;
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const {
    return {keep, gradients->skip_reason() != SkipReason::none};
  }
};

}  // namespace autograd

/// Numbers that a model gathers while it trains and that no gradient moves, in FP32: running means
/// and variances. What a step has seen is committed with the step's update, under the same flag: a
/// skipped step leaves them as they were.
template <class B>
class Statistics {
 public:
  /// Registers a statistic whose elements start from `start`, and returns its index.
  /// @throws UsageError  the name is taken
  std::size_t add(std::string name, const Shape& shape, float start) {
    for (const Entry& entry : entries_)
      if (entry.name == name) fail<UsageError>("statistic '", name, "' is registered twice");
    Entry entry{std::move(name), TensorOf<float, B>(shape), TensorOf<float, B>(shape)};
    const std::vector<float> values(static_cast<std::size_t>(shape.size()), start);
    B::upload(std::span<const float>(values), entry.value.data());
    B::clear(shape.size(), entry.fresh.data());
    entries_.push_back(std::move(entry));
    return entries_.size() - 1;
  }

  std::size_t count() const { return entries_.size(); }
  const std::string& name(std::size_t index) const { return entries_[index].name; }
  /// What was committed so far; it shares the memory.
  TensorOf<float, B>& value(std::size_t index) { return entries_[index].value; }
  std::vector<float> read(std::size_t index) const {
    const Entry& entry = entries_[index];
    std::vector<float> values(static_cast<std::size_t>(entry.value.size()));
    B::download(entry.value.data(), std::span<float>(values));
    return values;
  }
  /// @throws ShapeError  their number is not the statistic's size
  void write(std::size_t index, std::span<const float> values) {
    Entry& entry = entries_[index];
    if (static_cast<Index>(values.size()) != entry.value.size())
      fail<ShapeError>("statistic '", entry.name, "' of shape ", entry.value.shape(),
                       " does not take ", values.size(), " values");
    B::upload(values, entry.value.data());
    entry.keep = 1.0;
  }
  const Shape& shape(std::size_t index) const { return entries_[index].value.shape(); }
  /// @throws UsageError  there is no statistic of that name
  std::size_t find(std::string_view name) const {
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (entries_[i].name == name) return i;
    fail<UsageError>("there is no statistic '", name, "' in this model");
  }

  /// value = (1 - momentum) value + momentum now, once the step is applied. Several in one step
  /// (micro-batches) follow each other.
  /// @throws ShapeError  `now` has another shape
  void observe(std::size_t index, const TensorOf<float, B>& now, double momentum) {
    Entry& entry = entries_[index];
    if (now.shape() != entry.value.shape())
      fail<ShapeError>("statistic '", entry.name, "' of shape ", entry.value.shape(),
                       " does not take ", now.shape());
    // A checkpoint computes again what has been seen already.
    if (autograd::RecomputationScope::repeats()) return;
    // Until the commit only the sum of what was seen changes, so that it can be thrown away.
    const double keep = entry.keep == 1.0 ? 0.0 : 1.0 - momentum;
    B::for_each_element(now.size(), autograd::Blend{keep, momentum}, in(now.view()),
                        in_out(entry.fresh.view()));
    entry.keep *= 1.0 - momentum;
  }
  /// Takes over what the step has seen, or drops it where the step is skipped.
  void commit(const GradientState* gradients) {
    for (Entry& entry : entries_) {
      if (entry.keep == 1.0) continue;
      B::for_each_element(entry.value.size(), autograd::CommitStatistic{gradients, entry.keep},
                          in(std::as_const(entry.fresh).view()), in_out(entry.value.view()));
      entry.keep = 1.0;
    }
  }

 private:
  struct Entry {
    std::string name;
    TensorOf<float, B> value;
    TensorOf<float, B> fresh;
    double keep = 1.0;  ///< of the value, at the commit; 1: nothing was seen
  };
  std::vector<Entry> entries_;
};

}  // namespace halfstep
