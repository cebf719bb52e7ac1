#pragma once

#include <halfstep/core/macros.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// bfloat16: the upper half of a float, 1 sign, 8 exponent and 7 fraction bits. Storage only: it
/// converts, and has no arithmetic.
///
/// @numerics  from float: round to nearest, ties to even; overflow gives inf; subnormals are exact
///            (VCVTNEPS2BF16 flushes them); a NaN stays a (quiet) NaN with the upper bits of its
///            payload. To float: the bits, unchanged. Integer code, so the result does not depend
///            on flush-to-zero or the rounding mode.
struct bfloat16 {
  std::uint16_t bits;

  bfloat16() = default;

  HALFSTEP_HOST_DEVICE constexpr explicit bfloat16(float value) : bits(round(value)) {}

  HALFSTEP_HOST_DEVICE constexpr explicit operator float() const {
    return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
  }

  HALFSTEP_HOST_DEVICE static constexpr bfloat16 from_bits(std::uint16_t pattern) {
    bfloat16 result{};
    result.bits = pattern;
    return result;
  }

  /// Equal bits: -0 differs from +0, and a NaN equals itself.
  HALFSTEP_HOST_DEVICE friend constexpr bool operator==(bfloat16 a, bfloat16 b) {
    return a.bits == b.bits;
  }

 private:
  HALFSTEP_HOST_DEVICE static constexpr std::uint16_t round(float value) {
    const std::uint32_t word = __builtin_bit_cast(std::uint32_t, value);
    // Rounding would carry a NaN such as 7FFFFFFF into the sign, or clear 7F800001 to inf.
    if ((word & 0x7FFFFFFFu) > 0x7F800000u) {
      return static_cast<std::uint16_t>((word >> 16) | 0x40u);
    }
    return static_cast<std::uint16_t>((word + 0x7FFFu + ((word >> 16) & 1u)) >> 16);
  }
};

static_assert(sizeof(bfloat16) == 2);

}  // namespace halfstep
