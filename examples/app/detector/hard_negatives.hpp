#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace app {

/// Hard negative mining: of each canvas's anchors without a truth the ones whose background has the
/// largest loss stay, `ratio` for each one with a truth; the others are ignored. (SSD, section 2.2)
///
/// @param logits   [canvases, anchors, classes] in rows
/// @param classes  [canvases, anchors]
/// @return  `classes` with `ignored` where an anchor does not count
inline std::vector<std::int32_t> hardest(std::span<const float> logits,
                                         std::span<const std::int32_t> classes,
                                         std::size_t canvases, std::int32_t background,
                                         std::int32_t ignored, std::size_t ratio = 3) {
  std::vector<std::int32_t> targets(classes.begin(), classes.end());
  const std::size_t width = logits.size() / classes.size();
  const std::size_t anchors = classes.size() / canvases;
  struct Negative {
    float loss;
    std::size_t anchor;
  };
  std::vector<Negative> negatives;
  for (std::size_t canvas = 0; canvas < canvases; ++canvas) {
    negatives.clear();
    std::size_t positives = 0;
    for (std::size_t a = canvas * anchors; a < (canvas + 1) * anchors; ++a) {
      if (classes[a] != background) {
        ++positives;
        continue;
      }
      const auto row = logits.subspan(a * width, width);
      const float largest = *std::max_element(row.begin(), row.end());
      float sum = 0.0f;
      for (const float logit : row) sum += std::exp(logit - largest);
      negatives.push_back({largest + std::log(sum) - row[static_cast<std::size_t>(background)], a});
      targets[a] = ignored;
    }
    const std::size_t count = std::min(negatives.size(), ratio * positives);
    std::partial_sort(negatives.begin(), negatives.begin() + static_cast<std::ptrdiff_t>(count),
                      negatives.end(), [](const Negative& a, const Negative& b) {
                        return a.loss > b.loss || (a.loss == b.loss && a.anchor < b.anchor);
                      });
    for (std::size_t i = 0; i < count; ++i) targets[negatives[i].anchor] = background;
  }
  return targets;
}

}  // namespace app
