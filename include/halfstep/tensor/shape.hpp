#pragma once

#include <halfstep/core/error.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// Extents, strides and positions count elements.
using Index = std::int64_t;

/// The extents of a tensor, row-major, of rank 0 (a scalar, size 1) to `max_rank`.
class Shape {
 public:
  static constexpr int max_rank = 6;

  constexpr Shape() = default;
  Shape(std::initializer_list<Index> extents)
      : Shape(std::span<const Index>(extents.begin(), extents.size())) {}
  /// @throws ShapeError  the rank is above `max_rank`, or an extent is negative
  explicit Shape(std::span<const Index> extents) {
    if (extents.size() > max_rank)
      fail<ShapeError>("Shape: rank ", extents.size(), " is above the largest, ", max_rank);
    for (Index extent : extents) {
      if (extent < 0) fail<ShapeError>("Shape: extent ", extent, " is negative");
      extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
  }

  constexpr int rank() const { return rank_; }
  /// The number of elements: the product of the extents.
  constexpr Index size() const {
    Index product = 1;
    for (int i = 0; i < rank_; ++i) product *= extents_[static_cast<std::size_t>(i)];
    return product;
  }
  /// The extent of an axis; -1 is the last one.
  Index operator[](int axis) const { return extents_[static_cast<std::size_t>(normal(axis))]; }
  Index& operator[](int axis) { return extents_[static_cast<std::size_t>(normal(axis))]; }
  /// The axis counted from the front.
  /// @throws ShapeError  there is no such axis
  int normal(int axis) const {
    const int counted = axis < 0 ? axis + rank_ : axis;
    if (counted < 0 || counted >= rank_)
      fail<ShapeError>("axis ", axis, " of ", *this, ": the rank is ", rank_);
    return counted;
  }

  const Index* begin() const { return extents_.data(); }
  const Index* end() const { return extents_.data() + rank_; }
  /// This shape with one more extent at the end.
  Shape with_last(Index extent) const {
    if (rank_ == max_rank) fail<ShapeError>("Shape: ", *this, " has the largest rank already");
    Shape longer = *this;
    longer.extents_[static_cast<std::size_t>(longer.rank_++)] = extent;
    return longer;
  }
  /// This shape without one axis.
  Shape without(int axis) const {
    const int gone = normal(axis);
    Shape shorter;
    for (int i = 0; i < rank_; ++i)
      if (i != gone) shorter = shorter.with_last((*this)[i]);
    return shorter;
  }
  /// The product of the extents of axes first to last - 1.
  Index size_between(int first, int last) const {
    Index product = 1;
    for (int i = first; i < last; ++i) product *= (*this)[i];
    return product;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a[i] != b[i]) return false;
    return true;
  }
  friend std::ostream& operator<<(std::ostream& out, const Shape& shape) {
    out << "[";
    for (int i = 0; i < shape.rank_; ++i) out << (i ? ", " : "") << shape[i];
    return out << "]";
  }

 private:
  std::array<Index, max_rank> extents_{};
  int rank_ = 0;
};

}  // namespace halfstep
