#pragma once

#include <halfstep/data/sample.hpp>
#include <halfstep/data/shuffle.hpp>

#include <memory>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::data {

/// A data set in memory: a float matrix of features, a row a sample, and a label or a row of
/// targets each. Copies, parts and shuffled copies share the numbers; they never change.
///
/// @tparam Answers  `Labels` or `Targets`
template <class Answers>
class MemorySet {
 public:
  static constexpr bool has_labels = std::is_same_v<Answers, Labels>;
  using Answer = std::conditional_t<has_labels, std::int32_t, float>;
  using SampleType = std::conditional_t<has_labels, LabelledSample, TargetSample>;

  /// Numbers and how samples lie in them. Steps count elements from one sample to the next.
  struct Layout {
    std::shared_ptr<const void> owner;  ///< keeps the numbers alive; null where they are borrowed
    const float* features = nullptr;
    Index feature_step = 0;
    const Answer* answers = nullptr;
    Index answer_step = 1;
    Index size = 0;
    Shape sample_shape;
    Index width = 1;    ///< answers a sample
    Index classes = 0;  ///< labels are below it; 0: one more than the largest label
  };

  /// @throws DataError  there are no samples, or a label is not in [0, classes)
  explicit MemorySet(Layout layout) : layout_(std::move(layout)) {
    if (layout_.size < 1)
      fail<DataError>("the data set is empty; a data set has at least one sample");
    if constexpr (has_labels) check_labels();
  }

  Index size() const {
    return order_ == nullptr ? layout_.size : static_cast<Index>(order_->size());
  }
  /// @throws DataError  there is no such sample
  SampleType get(Index i) const {
    const Index row = row_of(i);
    const std::span<const float> features(layout_.features + row * layout_.feature_step,
                                          static_cast<std::size_t>(layout_.sample_shape.size()));
    const Answer* answer = layout_.answers + row * layout_.answer_step;
    if constexpr (has_labels)
      return {features, *answer};
    else
      return {features, {answer, static_cast<std::size_t>(layout_.width)}};
  }
  const Shape& sample_shape() const { return layout_.sample_shape; }
  /// How many classes the labels are from.
  Index classes() const requires(has_labels) { return layout_.classes; }
  /// How many numbers a target has.
  Index width() const requires(!has_labels) { return layout_.width; }

  /// The same samples under another shape of the features: [1, 28, 28] for [784].
  /// @throws ShapeError  the sizes differ
  MemorySet reshaped(const Shape& sample_shape) const {
    if (sample_shape.size() != layout_.sample_shape.size())
      fail<ShapeError>("MemorySet::reshaped: samples of ", layout_.sample_shape, " have ",
                       layout_.sample_shape.size(), " features and ", sample_shape, " has ",
                       sample_shape.size());
    MemorySet other = *this;
    other.layout_.sample_shape = sample_shape;
    return other;
  }
  /// These samples, in this order; one may occur more than once.
  /// @throws DataError  there is no such sample, or none at all
  MemorySet subset(std::span<const Index> samples) const {
    if (samples.empty()) fail<DataError>("MemorySet::subset: no samples; name at least one");
    auto order = std::make_shared<std::vector<Index>>();
    order->reserve(samples.size());
    for (const Index i : samples) order->push_back(row_of(i));
    MemorySet other = *this;
    other.order_ = std::move(order);
    return other;
  }
  /// The first `count` samples.
  /// @throws DataError  there are not as many, or `count` is below 1
  MemorySet take(Index count) const { return part(0, count, "take"); }
  /// The first `count` samples and the rest: `auto [train, validation] =
  /// all.shuffled(1).split(900)`
  /// @throws DataError  one of them would be empty
  std::pair<MemorySet, MemorySet> split(Index count) const {
    return {part(0, count, "split"), part(count, size() - count, "split")};
  }
  /// All samples in a random order, which the seed determines.
  MemorySet shuffled(std::uint64_t seed) const {
    std::vector<Index> order(static_cast<std::size_t>(size()));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
    shuffle(std::span(order), seed, ~std::uint32_t{0});
    return subset(order);
  }

 private:
  Index row_of(Index i) const {
    if (i < 0 || i >= size())
      fail<DataError>("there is no sample ", i, "; the data set has ", size(), ", from 0");
    return order_ == nullptr ? i : (*order_)[static_cast<std::size_t>(i)];
  }
  MemorySet part(Index first, Index count, const char* name) const {
    if (count < 1 || count > size() - first)
      fail<DataError>("MemorySet::", name, ": ", count, " samples from ", first,
                      " on are not to be had; the data set has ", size());
    std::vector<Index> samples(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = first + static_cast<Index>(i);
    return subset(samples);
  }
  void check_labels() {
    const bool known = layout_.classes > 0;
    for (Index i = 0; i < layout_.size; ++i) {
      const Index label = layout_.answers[i * layout_.answer_step];
      if (label < 0)
        fail<DataError>("label ", label, " of sample ", i, " is negative; classes count from 0");
      if (known && label >= layout_.classes)
        fail<DataError>("label ", label, " of sample ", i, " is not one of the ", layout_.classes,
                        " classes, 0 to ", layout_.classes - 1);
      if (label >= layout_.classes) layout_.classes = label + 1;
    }
  }

  Layout layout_;
  std::shared_ptr<const std::vector<Index>> order_;  // null: all, as they lie
};

/// Samples with a class each, and with numbers each.
using ClassificationSet = MemorySet<Labels>;
using RegressionSet = MemorySet<Targets>;

}  // namespace halfstep::inline HALFSTEP_ABI::data
