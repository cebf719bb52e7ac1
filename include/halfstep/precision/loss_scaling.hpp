#pragma once

#include <halfstep/core/macros.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// The gradients are what they are; only the finite check stays on.
struct NoLossScaling {
  static constexpr bool scales = false;
};

/// The loss is multiplied by one factor for the whole run (Micikevicius et al., arXiv 1710.03740,
/// section 3.2: 8 for SSD, 128 for bigLSTM). Keep it a power of two: scaling is then exact.
struct StaticLossScaling {
  static constexpr bool scales = true;
  double scale = 128.0;
  /// Otherwise the scale is 1; the finite check stays on, and every call stays legal.
  bool enabled = true;
};

/// The factor grows by `growth_factor` after `growth_interval` good steps in a row and shrinks by
/// `backoff_factor` after a step whose gradients hold an inf or a NaN, which is skipped; it
/// stays within [floor, ceiling]. The defaults are torch.amp.GradScaler's, and powers of two:
/// exact.
struct DynamicLossScaling {
  static constexpr bool scales = true;
  double initial_scale = 65536.0;
  double growth_factor = 2.0;
  double backoff_factor = 0.5;
  std::int64_t growth_interval = 2000;
  double floor = 1.0;
  double ceiling = 16777216.0;
  /// The overflow from which on the scale shrinks, counted from the last growth: 1 answers each, 2
  /// lets a lone one pass. Megatron-LM's DynamicGradScaler; Apex's update_scale_hysteresis counts
  /// from the last good step instead.
  std::int64_t hysteresis = 1;
  /// Otherwise the scale is 1 and stays; the finite check stays on, and every call stays legal.
  bool enabled = true;
};

}  // namespace halfstep
