#pragma once

#include <algorithm>
#include <cstdint>

namespace app {

/// A rectangle on a canvas, in pixels from its upper left corner.
struct Box {
  float left = 0.0f, top = 0.0f, right = 0.0f, bottom = 0.0f;

  static Box around(float x, float y, float width, float height) {
    return {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
  }
  float width() const { return right - left; }
  float height() const { return bottom - top; }
  float x() const { return (left + right) / 2; }
  float y() const { return (top + bottom) / 2; }
  float area() const { return width() * height(); }
};

/// The area that two boxes have in common over the area that they cover together: 0 for boxes that
/// do not meet, 1 for equal ones.
inline float intersection_over_union(const Box& a, const Box& b) {
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  if (width <= 0.0f || height <= 0.0f) return 0.0f;
  const float common = width * height;
  return common / (a.area() + b.area() - common);
}

/// A digit that is on a canvas.
struct Truth {
  Box box;
  std::int32_t label = 0;
};

/// A digit that a model takes to be on a canvas.
struct Detection {
  Box box;
  std::int32_t label = 0;
  float confidence = 0.0f;  ///< the class's probability
};

}  // namespace app
