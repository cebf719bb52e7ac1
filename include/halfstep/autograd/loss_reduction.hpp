#pragma once

#include <halfstep/core/macros.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// How a loss over many elements or rows becomes one number.
enum class LossReduction : std::uint8_t { mean, sum };

}  // namespace halfstep
