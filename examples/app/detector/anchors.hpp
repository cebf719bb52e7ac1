#pragma once

#include <app/detector/box.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace app {

/// The anchors of one feature map: boxes of each shape around the middle of each cell, by rows of
/// cells.
struct AnchorGrid {
  struct BoxShape {
    float width, height;
  };
  std::int64_t cells = 8;  ///< a side
  float stride = 8.0f;     ///< of cells, in pixels
  std::vector<BoxShape> shapes;

  void append_to(std::vector<Box>& anchors) const {
    for (std::int64_t row = 0; row < cells; ++row)
      for (std::int64_t column = 0; column < cells; ++column)
        for (const BoxShape& shape : shapes)
          anchors.push_back(Box::around((static_cast<float>(column) + 0.5f) * stride,
                                        (static_cast<float>(row) + 0.5f) * stride, shape.width,
                                        shape.height));
  }
};

/// Where a box lies relative to its anchor, as a model is taught it.
using Offsets = std::array<float, 4>;

/// What offsets are divided by, so that they are about 1. (SSD's code calls them variances.)
inline constexpr Offsets offset_scales{0.1f, 0.1f, 0.2f, 0.2f};

/// (x - x_a) / w_a, (y - y_a) / h_a, log(w / w_a), log(h / h_a), each over its scale. (Liu et al.,
/// "SSD", arXiv 1512.02325, equation 2)
inline Offsets encode(const Box& box, const Box& anchor) {
  return {(box.x() - anchor.x()) / anchor.width() / offset_scales[0],
          (box.y() - anchor.y()) / anchor.height() / offset_scales[1],
          std::log(box.width() / anchor.width()) / offset_scales[2],
          std::log(box.height() / anchor.height()) / offset_scales[3]};
}

/// The box that offsets mean: `encode`'s inverse.
inline Box decode(const Offsets& offsets, const Box& anchor) {
  return Box::around(anchor.x() + offsets[0] * offset_scales[0] * anchor.width(),
                     anchor.y() + offsets[1] * offset_scales[1] * anchor.height(),
                     anchor.width() * std::exp(offsets[2] * offset_scales[2]),
                     anchor.height() * std::exp(offsets[3] * offset_scales[3]));
}

inline constexpr std::ptrdiff_t no_truth = -1;

/// Which truth each anchor is for: the one that it overlaps most, by `threshold` at least, else
/// none. Besides, each truth has the anchor that overlaps it most and that no truth before it has
/// in this way. (SSD, section 2.2, "Matching strategy")
inline std::vector<std::ptrdiff_t> match(std::span<const Box> anchors,
                                         std::span<const Truth> truths, float threshold = 0.5f) {
  std::vector<std::ptrdiff_t> matched(anchors.size(), no_truth);
  std::vector<bool> taken(anchors.size(), false);
  for (std::size_t a = 0; a < anchors.size(); ++a) {
    float most = threshold;
    for (std::size_t t = 0; t < truths.size(); ++t) {
      const float overlap = intersection_over_union(anchors[a], truths[t].box);
      if (overlap < most || (overlap == most && matched[a] != no_truth)) continue;
      most = overlap;
      matched[a] = static_cast<std::ptrdiff_t>(t);
    }
  }
  for (std::size_t t = 0; t < truths.size(); ++t) {
    std::size_t best = anchors.size();
    float most = 0.0f;
    for (std::size_t a = 0; a < anchors.size(); ++a) {
      const float overlap = intersection_over_union(anchors[a], truths[t].box);
      if (taken[a] || overlap <= most) continue;
      most = overlap;
      best = a;
    }
    if (best == anchors.size()) continue;
    taken[best] = true;
    matched[best] = static_cast<std::ptrdiff_t>(t);
  }
  return matched;
}

}  // namespace app
