#pragma once

#include <halfstep/data/memory_set.hpp>
#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/tensor/tensor.hpp>

namespace halfstep::inline HALFSTEP_ABI::data {

/// A matrix in somebody's memory, a row a sample. Steps count elements.
template <class T>
struct Matrix {
  const T* data;
  Index rows;
  Index columns;
  Index row_step;
  Index column_step = 1;
};
template <class T>
Matrix(const T*, Index, Index, Index) -> Matrix<T>;
template <class T>
Matrix(const T*, Index, Index, Index, Index) -> Matrix<T>;

/// How memory is read.
struct MemorySettings {
  double scale = 1.0;  ///< features are multiplied by it: 1.0 / 255 for bytes
  Index classes = 0;   ///< labels must be below it; 0: the largest label says
};

namespace detail {

/// Eigen's matrices, maps and blocks, without including Eigen.
template <class M>
concept StridedMatrix = requires(const M& m) {
  *m.data();
  m.rows() + m.cols() + m.rowStride() + m.colStride();
};
template <class R>
concept NumberRange = !StridedMatrix<R> && requires(const R& range) {
  *std::data(range);
  std::size(range);
};

template <class T>
auto matrix_of(const Matrix<T>& m, Index) {
  return m;
}
template <StridedMatrix M>
auto matrix_of(const M& m, Index samples) {
  using T = std::remove_cv_t<std::remove_reference_t<decltype(*m.data())>>;
  // A row vector of answers is as good as a column.
  if (m.rows() == 1 && m.cols() == samples)
    return Matrix<T>{m.data(), m.cols(), 1, m.colStride(), m.rowStride()};
  return Matrix<T>{m.data(), m.rows(), m.cols(), m.rowStride(), m.colStride()};
}
template <NumberRange R>
auto matrix_of(const R& range, Index samples) {
  using T = std::remove_cv_t<std::remove_reference_t<decltype(*std::data(range))>>;
  const auto count = static_cast<Index>(std::size(range));
  const Index each = samples < 1 ? 0 : count / samples;
  if (each * samples != count || (each == 0 && samples > 0))
    fail<ShapeError>("data: ", count, " answers do not belong to ", samples, " samples");
  return Matrix<T>{std::data(range), samples, each, each};
}
template <class M>
using ElementOf = std::remove_cv_t<
    std::remove_pointer_t<decltype(matrix_of(std::declval<const M&>(), Index{}).data)>>;
template <class M>
using SetFor = MemorySet<std::conditional_t<std::is_integral_v<ElementOf<M>>, Labels, Targets>>;

template <class T>
double as_double(T value) {
  if constexpr (std::is_arithmetic_v<T>)
    return static_cast<double>(value);
  else
    return storage_cast<double>(value);
}

/// The sample shape of features of this shape: without the first axis, [1] for a vector.
inline Shape sample_shape_of(const Shape& shape, std::size_t values) {
  if (shape.rank() < 1 || shape.size() != static_cast<Index>(values))
    fail<ShapeError>("data: ", values, " values do not fill ", shape,
                     "; the shape is [samples, features...]");
  if (shape.rank() == 1) return {1};
  return shape.without(0);
}

inline void check_answers(Index samples, Index answers, Index labels_each) {
  if (samples < 1) fail<DataError>("the data set is empty; a data set has at least one sample");
  if (answers != samples || labels_each != 1)
    fail<ShapeError>("data: ", samples, " samples have ", answers * labels_each,
                     " answers; there must be one each");
}

/// What a data set may borrow: not a temporary, which would be gone at once.
template <class T>
inline constexpr bool borrowable = std::is_lvalue_reference_v<T>;
template <class T>
inline constexpr bool borrowable<std::span<T>> = true;
template <class T>
inline constexpr bool borrowable<const std::span<T>> = true;

template <class Set, class T, class A>
Set copied(const Matrix<T>& x, const Matrix<A>& y, const Shape& sample_shape,
           const MemorySettings& settings) {
  check_answers(x.rows, y.rows, Set::has_labels ? y.columns : 1);
  using Answer = typename Set::Answer;
  // Tensors: large ones lie in huge pages, and rows are read in random order.
  struct Numbers {
    Tensor<float> features;
    Tensor<Answer> answers;
  };
  auto numbers = std::make_shared<Numbers>(
      Numbers{Tensor<float>(Shape{x.rows, x.columns}), Tensor<Answer>(Shape{y.rows, y.columns})});
  float* features = numbers->features.data();
  Answer* answers = numbers->answers.data();
  for (Index row = 0; row < x.rows; ++row) {
    for (Index column = 0; column < x.columns; ++column) {
      const T value = x.data[row * x.row_step + column * x.column_step];
      features[row * x.columns + column] = static_cast<float>(as_double(value) * settings.scale);
    }
    for (Index column = 0; column < y.columns; ++column) {
      const A value = y.data[row * y.row_step + column * y.column_step];
      if constexpr (Set::has_labels) {
        const auto wide = static_cast<std::int64_t>(value);
        if (wide != static_cast<Answer>(wide))
          fail<DataError>("label ", +value, " of sample ", row, " is no class");
        answers[row * y.columns + column] = static_cast<Answer>(value);
      } else {
        answers[row * y.columns + column] = static_cast<float>(as_double(value));
      }
    }
  }
  return Set({.owner = std::move(numbers),
              .features = features,
              .feature_step = x.columns,
              .answers = answers,
              .answer_step = y.columns,
              .size = x.rows,
              .sample_shape = sample_shape,
              .width = y.columns,
              .classes = settings.classes});
}

}  // namespace detail

/// A data set that copies numbers of any type and converts them to float.
///
/// @param features  a container or span, row-major
/// @param shape     [samples, features...]
/// @param answers   one integer a sample (a ClassificationSet), or as many floating-point numbers
///                  each as divide evenly (a RegressionSet): a container, an Eigen vector or matrix
///                  or a `Matrix`
/// @throws ShapeError  the sizes do not fit
/// @throws DataError   there are no samples, or a label is not in [0, classes)
template <detail::NumberRange Features, class Answers>
detail::SetFor<Answers> from_memory(const Features& features, const Shape& shape,
                                    const Answers& answers, const MemorySettings& settings = {}) {
  const Shape sample = detail::sample_shape_of(shape, std::size(features));
  const Matrix x{std::data(features), shape[0], sample.size(), sample.size()};
  return detail::copied<detail::SetFor<Answers>>(x, detail::matrix_of(answers, x.rows), sample,
                                                 settings);
}
/// The same from a pointer and steps.
template <class T, class Answers>
detail::SetFor<Answers> from_memory(const Matrix<T>& features, const Answers& answers,
                                    const MemorySettings& settings = {}) {
  return detail::copied<detail::SetFor<Answers>>(
      features, detail::matrix_of(answers, features.rows), Shape{features.columns}, settings);
}
/// The same from an Eigen matrix, map or block, a row a sample, whatever its strides.
template <detail::StridedMatrix Features, class Answers>
detail::SetFor<Answers> from_memory(const Features& features, const Answers& answers,
                                    const MemorySettings& settings = {}) {
  return from_memory(detail::matrix_of(features, -1), answers, settings);
}

/// A data set that borrows its numbers: floats, row-major, and std::int32_t labels or float
/// targets, in variables or spans. They must outlive the data set and every part of it.
///
/// @param shape  [samples, features...]
/// @throws ShapeError, DataError  as `from_memory`
template <class Features, class Answers>
requires(detail::borrowable<Features>&& detail::borrowable<Answers>) auto view(Features&& features,
                                                                               const Shape& shape,
                                                                               Answers&& answers,
                                                                               Index classes = 0) {
  using Answer = detail::ElementOf<std::decay_t<Answers>>;
  static_assert(std::is_same_v<detail::ElementOf<std::decay_t<Features>>, float>,
                "halfstep: view borrows float features; from_memory copies and converts");
  static_assert(std::is_same_v<Answer, std::int32_t> || std::is_same_v<Answer, float>,
                "halfstep: view borrows std::int32_t labels or float targets; from_memory copies "
                "and converts");
  using Set = detail::SetFor<std::decay_t<Answers>>;
  const Shape sample = detail::sample_shape_of(shape, std::size(features));
  const Matrix<Answer> y = detail::matrix_of(answers, shape[0]);
  detail::check_answers(shape[0], y.rows, Set::has_labels ? y.columns : 1);
  return Set({.owner = {},
              .features = std::data(features),
              .feature_step = sample.size(),
              .answers = y.data,
              .answer_step = y.columns,
              .size = shape[0],
              .sample_shape = sample,
              .width = y.columns,
              .classes = classes});
}

/// Refused: a temporary.
template <class Features, class Answers>
requires(!detail::borrowable<Features> ||
         !detail::borrowable<Answers>) int view(Features&&, const Shape&, Answers&&, Index = 0) {
  static_assert(detail::borrowable<Features> && detail::borrowable<Answers>,
                "halfstep: data::view borrows, and a temporary would be gone at once; name the "
                "container, or copy it with data::from_memory");
  return 0;
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
