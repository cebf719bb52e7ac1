#pragma once

#include <halfstep/data/sample.hpp>
#include <halfstep/numeric/convert.hpp>

#include <vector>

namespace halfstep::inline HALFSTEP_ABI::data {

/// Fills the arrays of a batch from a data set, whose type it hides: the machinery of a Loader is
/// compiled once for all data sets.
///
/// @tparam X  how features are stored
/// @tparam Y  how answers are stored
template <class X, class Y>
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  /// Writes the samples one after the other. Called from one thread at a time.
  /// @throws DataError   a label is not in [0, classes)
  /// @throws ShapeError  a sample has another number of features or targets than the first
  virtual void fill(std::span<const Index> samples, X* x, Y* y) = 0;

  /// The shapes of so many samples' features and answers.
  Shape x_shape(Index count) const {
    Shape shape{count};
    for (const Index extent : sample_shape) shape = shape.with_last(extent);
    return shape;
  }
  Shape y_shape(Index count) const {
    return std::is_integral_v<Y> ? Shape{count} : Shape{count, width};
  }

  Index size = 0;
  Shape sample_shape;
  Index width = 1;
};

/// A SampleSource of one type of data set.
template <class X, class Y, class D>
class DatasetSource final : public SampleSource<X, Y> {
 public:
  explicit DatasetSource(D dataset) : dataset_(std::forward<D>(dataset)) {
    this->size = static_cast<Index>(dataset_.size());
    if (this->size < 1)
      fail<DataError>("Loader: the data set is empty; it must have at least one sample");
    const auto& first = dataset_.get(Index{0});
    const auto features = static_cast<Index>(detail::numbers_in(detail::features_of(first)).size());
    this->sample_shape = {features};
    if constexpr (requires { dataset_.sample_shape(); })
      this->sample_shape = dataset_.sample_shape();
    this->width = static_cast<Index>(detail::numbers_in(detail::answer_of(first)).size());
    if constexpr (requires { dataset_.classes(); }) classes_ = dataset_.classes();
    if (features != this->sample_shape.size() || features < 1 || this->width < 1)
      fail<ShapeError>("Loader: sample 0 has ", features, " features and ", this->width,
                       " answers, and the data set's sample shape is ", this->sample_shape);
  }

  void fill(std::span<const Index> samples, X* x, Y* y) override {
    const Index features = this->sample_shape.size();
    for (const Index i : samples) {
      const auto& sample = dataset_.get(i);
      copy(detail::numbers_in(detail::features_of(sample)), x, features, i, "features");
      const auto answer = detail::numbers_in(detail::answer_of(sample));
      if constexpr (std::is_integral_v<Y>)
        *y = label(answer[0], i);
      else
        copy(answer, y, this->width, i, "targets");
      x += features;
      y += this->width;
    }
  }

 private:
  template <class From, class To>
  void copy(std::span<const From> from, To* to, Index count, Index i, const char* what) {
    if (static_cast<Index>(from.size()) != count)
      fail<ShapeError>("Loader: sample ", i, " has ", from.size(), " ", what, ", and ", count,
                       " were expected");
    if constexpr (Storage<From>) {
      convert(from.data(), to, from.size());
    } else {
      row_.assign(from.begin(), from.end());
      convert(row_.data(), to, row_.size());
    }
  }
  template <class Label>
  std::int32_t label(Label value, Index i) const {
    const auto stored = static_cast<std::int32_t>(value);
    const bool outside = classes_ > 0 && (stored < 0 || stored >= classes_);
    if (static_cast<Label>(stored) != value || outside)
      fail<DataError>("Loader: label ", +value, " of sample ", i, " is not one of the ", classes_,
                      " classes, 0 to ", classes_ - 1);
    return stored;
  }

  D dataset_;  // a reference where the caller keeps the data set
  Index classes_ = 0;
  std::vector<float> row_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
