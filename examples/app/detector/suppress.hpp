#pragma once

#include <app/detector/box.hpp>

#include <algorithm>
#include <vector>

namespace app {

/// Non-maximum suppression: detections from the surest one on, without those that overlap a surer
/// one of their class by more than `threshold`; `most` at most. (SSD, section 2.2)
inline std::vector<Detection> suppress(std::vector<Detection> detections, float threshold = 0.45f,
                                       std::size_t most = 200) {
  std::stable_sort(
      detections.begin(), detections.end(),
      [](const Detection& a, const Detection& b) { return a.confidence > b.confidence; });
  std::vector<Detection> kept;
  for (const Detection& one : detections) {
    if (kept.size() == most) break;
    const bool again = std::any_of(kept.begin(), kept.end(), [&](const Detection& surer) {
      return surer.label == one.label && intersection_over_union(surer.box, one.box) > threshold;
    });
    if (!again) kept.push_back(one);
  }
  return kept;
}

}  // namespace app
