#pragma once

#include <halfstep/tensor/view.hpp>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Elements of type `T` in a device's memory, contiguous and row-major, with a shape.
///
/// A tensor is a handle: a copy shares the elements (`clone` of a backend copies them). The memory
/// goes back to the device's pool with the last handle.
template <class T, Device D = device::Cpu>
class Tensor {
  static_assert(std::is_trivially_copyable_v<T>, "halfstep: a tensor's elements are plain data");

 public:
  using Element = T;
  using DeviceType = D;

  Tensor() = default;
  /// Elements without a value yet.
  explicit Tensor(const Shape& shape)
      : block_(D::pool().allocate(static_cast<std::size_t>(shape.size()) * sizeof(T))),
        data_(static_cast<T*>(block_->memory())),
        shape_(shape) {}
  Tensor(const Tensor& other) : block_(other.block_), data_(other.data_), shape_(other.shape_) {
    if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Tensor(Tensor&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        shape_(std::exchange(other.shape_, Shape{0})) {}
  Tensor& operator=(Tensor other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(shape_, other.shape_);
    return *this;
  }
  ~Tensor() {
    if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
      D::pool().release(block_);
  }

  /// A host tensor with these values, row-major.
  /// @throws ShapeError  their number is not the shape's size
  static Tensor from(std::span<const T> values, const Shape& shape) requires(D::host_accessible) {
    if (static_cast<Index>(values.size()) != shape.size())
      fail<ShapeError>("Tensor::from: ", values.size(), " values do not fill ", shape);
    Tensor tensor(shape);
    std::copy(values.begin(), values.end(), tensor.data());
    return tensor;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  const Shape& shape() const { return shape_; }
  Index size() const { return data_ == nullptr ? 0 : shape_.size(); }
  bool empty() const { return data_ == nullptr; }
  std::span<T> span() requires(D::host_accessible) {
    return {data_, static_cast<std::size_t>(size())};
  }
  std::span<const T> span() const requires(D::host_accessible) {
    return {data_, static_cast<std::size_t>(size())};
  }

  View<T, D> view() { return {data_, shape_}; }
  View<const T, D> view() const { return {data_, shape_}; }
  /// The elements, only to be read, also from a tensor that could be written.
  View<const T, D> read() const { return {data_, shape_}; }

  /// The same elements under another shape; both share them.
  /// @throws ShapeError  the sizes differ
  Tensor reshaped(const Shape& shape) const {
    static_cast<void>(view().reshaped(shape));
    Tensor other = *this;
    other.shape_ = shape;
    return other;
  }
  /// Rows `first` to `first + count - 1` of the first axis, shared.
  /// @throws ShapeError  they are not there
  Tensor rows(Index first, Index count) const {
    const View<const T, D> part = view().rows(first, count);
    Tensor other = *this;
    other.data_ += part.data() - data_;
    other.shape_ = part.shape();
    return other;
  }
  /// Whether no other handle shares the elements.
  bool unique() const {
    return block_ != nullptr && block_->owners.load(std::memory_order_relaxed) == 1;
  }

 private:
  typename D::Pool::Block* block_ = nullptr;
  T* data_ = nullptr;
  Shape shape_{0};
};

}  // namespace halfstep
