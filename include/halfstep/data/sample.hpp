#pragma once

#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/tensor/shape.hpp>

#include <iterator>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI::data {

/// A sample whose answer is a class, from 0.
struct LabelledSample {
  std::span<const float> features;
  std::int32_t label;
};

/// A sample whose answer is numbers.
struct TargetSample {
  std::span<const float> features;
  std::span<const float> target;
};

/// Batches have a class a sample: y is [batch] of std::int32_t.
struct Labels {};
/// Batches have numbers a sample: y is [batch, width] of the policy's Reduction type.
struct Targets {};

/// A type with `size()` and `get(i)`, which returns a sample: something with `features` and `label`
/// or `target`, or a pair of the two. Features and targets are contiguous numbers (a vector, an
/// array, a span) or one number; a label is an integer. It may also have
///   `Shape sample_shape() const`   of the features (default: a vector)
///   `Index classes() const`        labels are checked to be below it
/// A Loader calls `get` from one thread at a time, which is another one than its user's unless
/// `prefetch` is 0.
template <class D>
concept Dataset = requires(const D& dataset, Index i) {
  { dataset.size() } -> std::convertible_to<Index>;
  dataset.get(i);
};

namespace detail {

template <class S>
decltype(auto) features_of(const S& sample) {
  if constexpr (requires { sample.features; })
    return (sample.features);
  else
    return (sample.first);
}
template <class S>
decltype(auto) answer_of(const S& sample) {
  if constexpr (requires { sample.label; })
    return (sample.label);
  else if constexpr (requires { sample.target; })
    return (sample.target);
  else
    return (sample.second);
}

/// The numbers in a container, or one number.
template <class Numbers>
auto numbers_in(const Numbers& numbers) {
  if constexpr (std::is_arithmetic_v<Numbers> || Storage<Numbers>)
    return std::span<const Numbers>(&numbers, 1);
  else
    return std::span<
        const std::remove_cv_t<std::remove_reference_t<decltype(*std::data(numbers))>>>(
        std::data(numbers), std::size(numbers));
}

template <class D>
using SampleOf = std::decay_t<decltype(std::declval<const D&>().get(Index{}))>;

template <class S>
concept Sample = (
                     requires(const S& sample) { sample.features; } ||
                     requires(const S& sample) { sample.first; }) &&
                 (
                     requires(const S& sample) { sample.label; } ||
                     requires(const S& sample) { sample.target; } ||
                     requires(const S& sample) { sample.second; }) &&
                 requires(const S& sample) {
  numbers_in(features_of(sample));
  numbers_in(answer_of(sample));
};

template <class D>
struct AnswersOf {
  static_assert(Sample<SampleOf<D>>,
                "halfstep: get(i) of a data set returns a sample: a struct with `features` and "
                "`label` or `target`, or a pair of the two");
  using Answer = std::decay_t<decltype(answer_of(std::declval<const SampleOf<D>&>()))>;
  using type = std::conditional_t<std::is_integral_v<Answer>, Labels, Targets>;
};

}  // namespace detail

/// What the samples of a data set have as answers: `Labels` or `Targets`.
template <Dataset D>
using AnswersOf = typename detail::AnswersOf<D>::type;

}  // namespace halfstep::inline HALFSTEP_ABI::data
