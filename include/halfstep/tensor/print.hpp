#pragma once

#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <ostream>

namespace halfstep::inline HALFSTEP_ABI {

namespace detail {

template <class T>
void print_element(std::ostream& out, const T& value) {
  if constexpr (Storage<T>)
    out << storage_cast<double>(value);
  else
    out << +value;
}

/// Prints one axis in brackets; of a long one, the first and the last three entries.
template <class T>
void print_axis(std::ostream& out, const T* data, const Shape& shape, int axis) {
  constexpr Index most = 6;
  if (axis == shape.rank()) return print_element(out, *data);
  const Index extent = shape[axis];
  const Index step = shape.size_between(axis + 1, shape.rank());
  out << "[";
  for (Index i = 0; i < extent; ++i) {
    if (i > 0) out << ", ";
    if (extent > most && i == most / 2) {
      out << "..., ";
      i = extent - most / 2;
    }
    print_axis(out, data + i * step, shape, axis + 1);
  }
  out << "]";
}

}  // namespace detail

/// Writes a host tensor as nested brackets, its storage type and its shape:
/// "[[1, 2], [3, 4]] bfloat16 [2, 2]".
template <class T>
std::ostream& operator<<(std::ostream& out, const Tensor<T>& tensor) {
  if (tensor.empty()) return out << "[] (no elements)";
  detail::print_axis(out, tensor.data(), tensor.shape(), 0);
  if constexpr (Storage<T>) out << " " << numeric_traits<T>::name;
  return out << " " << tensor.shape();
}

/// The elements of a host tensor, row-major: 16-bit numbers as floats, others as they are.
template <class T>
auto to_vector(const Tensor<T>& tensor) {
  using Element = std::conditional_t<Storage<T> && sizeof(T) == 2, float, T>;
  std::vector<Element> values(static_cast<std::size_t>(tensor.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<Element, T>)
      values[i] = tensor.data()[i];
    else
      values[i] = storage_cast<Element>(tensor.data()[i]);
  }
  return values;
}

}  // namespace halfstep
