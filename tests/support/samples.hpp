#pragma once

#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace halfstep::test {

/// Numbers in [low, high), the same for the same seed, rounded to T.
template <class T>
Tensor<T> sample(const Shape& shape, std::uint64_t seed, double low = -2.0, double high = 2.0) {
  Tensor<T> tensor(shape);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (T& element : tensor.span()) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    const double unit = static_cast<double>((state * 0x2545F4914F6CDD1Du) >> 11) * 0x1p-53;
    element = storage_cast<T>(low + (high - low) * unit);
  }
  return tensor;
}

/// A tensor of integers: labels, rows.
inline Tensor<std::int32_t> integers(std::initializer_list<std::int32_t> values,
                                     const Shape& shape) {
  return Tensor<std::int32_t>::from(std::vector<std::int32_t>(values), shape);
}
inline Tensor<std::int32_t> integers(std::initializer_list<std::int32_t> values) {
  return integers(values, Shape{static_cast<Index>(values.size())});
}

/// A tensor with these values, rounded to T.
template <class T>
Tensor<T> values(std::initializer_list<double> numbers, const Shape& shape) {
  std::vector<T> rounded;
  for (const double number : numbers) rounded.push_back(storage_cast<T>(number));
  return Tensor<T>::from(rounded, shape);
}

template <class T>
std::vector<double> to_doubles(const Tensor<T>& tensor) {
  std::vector<double> numbers;
  for (const T element : tensor.span()) numbers.push_back(storage_cast<double>(element));
  return numbers;
}

/// The same numbers in another storage type.
template <class To, class From>
Tensor<To> converted(const Tensor<From>& tensor) {
  Tensor<To> other(tensor.shape());
  for (Index i = 0; i < tensor.size(); ++i) other.data()[i] = storage_cast<To>(tensor.data()[i]);
  return other;
}

}  // namespace halfstep::test
