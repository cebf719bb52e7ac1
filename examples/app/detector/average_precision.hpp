#pragma once

#include <app/detector/box.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace app {

/// What is on a canvas, and what was found there.
struct Finding {
  std::vector<Truth> truths;
  std::vector<Detection> detections;
};

/// The area under the curve of precision over recall of one class: over all canvases' detections
/// from the surest one on, sum (r_i - r_(i-1)) max_(j >= i) p_j. A detection is right where the
/// truth of its class that it overlaps most is overlapped by `threshold` and was not found before.
/// (Everingham et al., "The PASCAL Visual Object Classes Challenge 2012 Development Kit", section
/// 3.4.1)
/// @return  nothing where no canvas has the class
inline std::optional<double> average_precision(std::span<const Finding> findings,
                                               std::int32_t label, float threshold = 0.5f) {
  struct Ranked {
    std::size_t canvas;
    const Detection* detection;
  };
  std::vector<Ranked> ranked;
  std::vector<std::vector<bool>> found;
  std::size_t truths = 0;
  for (std::size_t canvas = 0; canvas < findings.size(); ++canvas) {
    found.emplace_back(findings[canvas].truths.size(), false);
    for (const Truth& truth : findings[canvas].truths) truths += truth.label == label ? 1 : 0;
    for (const Detection& each : findings[canvas].detections)
      if (each.label == label) ranked.push_back({canvas, &each});
  }
  if (truths == 0) return std::nullopt;
  std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return a.detection->confidence > b.detection->confidence;
  });

  std::vector<double> precision, recall;
  std::size_t right = 0;
  for (const auto& [canvas, detection] : ranked) {
    const std::vector<Truth>& there = findings[canvas].truths;
    std::size_t best = there.size();
    float most = threshold;
    for (std::size_t t = 0; t < there.size(); ++t) {
      const float overlap = intersection_over_union(there[t].box, detection->box);
      if (there[t].label != label || overlap < most) continue;
      most = overlap;
      best = t;
    }
    if (best != there.size() && !found[canvas][best]) {
      found[canvas][best] = true;
      ++right;
    }
    precision.push_back(static_cast<double>(right) / static_cast<double>(precision.size() + 1));
    recall.push_back(static_cast<double>(right) / static_cast<double>(truths));
  }
  double area = 0.0;
  double highest = 0.0;
  for (std::size_t i = precision.size(); i-- > 0;) {
    highest = std::max(highest, precision[i]);
    area += (recall[i] - (i == 0 ? 0.0 : recall[i - 1])) * highest;
  }
  return area;
}

/// The mean of the average precisions of the classes that are there.
inline double mean_average_precision(std::span<const Finding> findings, std::int32_t classes,
                                     float threshold = 0.5f) {
  double sum = 0.0;
  int count = 0;
  for (std::int32_t label = 0; label < classes; ++label)
    if (const auto precision = average_precision(findings, label, threshold)) {
      sum += *precision;
      ++count;
    }
  return count == 0 ? 0.0 : sum / count;
}

}  // namespace app
