#pragma once

#include <cstdint>

#include <halfstep/core/macros.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// Softmax cross-entropy of row r with target t among n classes:
///   (1 - smoothing) (log_sum_r - x_rt) + smoothing / n sum_j (log_sum_r - x_rj)
/// Rows whose target is `ignored_target` have loss 0 and gradient 0.
struct CrossEntropy {
  double label_smoothing = 0.0;
  std::int32_t ignored_target = -100;
};

}  // namespace halfstep
