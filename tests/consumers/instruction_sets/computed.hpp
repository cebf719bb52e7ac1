#pragma once

#include <vector>

/// What both translation units compute.
struct Computed {
  std::vector<float> conversions;  ///< whose bits no instruction set may change
  std::vector<float> losses;       ///< of a short training
};

Computed computed_plain();
Computed computed_wide();
