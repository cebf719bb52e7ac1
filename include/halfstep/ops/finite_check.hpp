#pragma once

#include <halfstep/core/macros.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// What one read of the gradients finds; it lives where they live.
struct FiniteCheck {
  /// The sum of squares, in double: it cannot overflow from finite floats below 2^511 of them.
  double sum_of_squares = 0.0;
  /// 1 where an inf or a NaN was read. Kept apart from the sum, which may overflow by itself.
  std::int32_t found_inf = 0;
};

}  // namespace halfstep
