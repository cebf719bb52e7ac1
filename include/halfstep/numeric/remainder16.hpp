#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/numeric_traits.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// What a 16-bit weight lacks of its FP32 master, in 2^-16 of the spacing of numbers at the weight;
/// see numeric/two_parts.hpp. It is stored only: a loop reads and writes it as a whole number
/// within [-32768, 32767].
struct remainder16 {
  std::int16_t units = 0;
};

template <>
struct numeric_traits<remainder16> {
  using compute = float;
  static constexpr std::string_view name = "remainder16";
  static constexpr bool is_16_bit = true;
};

}  // namespace halfstep
