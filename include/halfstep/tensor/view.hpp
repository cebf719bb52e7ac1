#pragma once

#include <halfstep/tensor/device.hpp>
#include <halfstep/tensor/shape.hpp>

#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// Contiguous elements that somebody else owns, with a shape. `View<const T>` may only be read.
template <class T, Device D = device::Cpu>
class View {
 public:
  using Element = std::remove_const_t<T>;

  View() = default;
  View(T* data, const Shape& shape) : data_(data), shape_(shape) {}
  /// What may be written may be read.
  template <class U>
  requires(!std::is_const_v<U> && std::is_same_v<const U, T>)
      View(const View<U, D>& other)  // NOLINT(google-explicit-constructor)
      : data_(other.data()), shape_(other.shape()) {}

  /// The same elements, only to be read.
  View<const Element, D> read() const { return {data_, shape_}; }
  T* data() const { return data_; }
  const Shape& shape() const { return shape_; }
  Index size() const { return shape_.size(); }

  /// The same elements under another shape.
  /// @throws ShapeError  the sizes differ
  View reshaped(const Shape& shape) const {
    if (shape.size() != size())
      fail<ShapeError>("reshape: ", shape_, " has ", size(), " elements and ", shape, " has ",
                       shape.size());
    return {data_, shape};
  }
  /// Rows `first` to `first + count - 1` of the first axis.
  /// @throws ShapeError  they are not there
  View rows(Index first, Index count) const {
    if (shape_.rank() == 0 || first < 0 || count < 0 || first + count > shape_[0])
      fail<ShapeError>("rows ", first, " to ", first + count, " of ", shape_, " are not there");
    Shape shape = shape_;
    shape[0] = count;
    const Index row = shape_[0] == 0 ? 0 : size() / shape_[0];
    return {data_ + first * row, shape};
  }

 private:
  T* data_ = nullptr;
  Shape shape_{0};
};

}  // namespace halfstep
