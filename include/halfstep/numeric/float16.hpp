#pragma once

#include <halfstep/core/macros.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// IEEE 754 binary16: 1 sign, 5 exponent and 10 fraction bits. Storage only: it converts, and has
/// no arithmetic, so that nobody adds two halves by accident.
///
/// @numerics  from float: round to nearest, ties to even; overflow gives inf; subnormals are exact;
/// a
///            NaN stays a (quiet) NaN with the upper bits of its payload, as VCVTPS2PH keeps them.
///            Integer code on the host, so the result does not depend on flush-to-zero or the
///            rounding mode; the GPU's own conversions have the same bits.
struct float16 {
  std::uint16_t bits;

  float16() = default;

  HALFSTEP_HOST_DEVICE constexpr explicit float16(float value) : bits(round(value)) {}

  HALFSTEP_HOST_DEVICE constexpr explicit operator float() const {
#if defined(HALFSTEP_DEVICE_PASS)
    // Of a NaN the GPU does not keep the payload.
    if (!__builtin_is_constant_evaluated() && (bits & 0x7C00u) != 0x7C00u) {
      float value = 0.0f;
      asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
      return value;
    }
#endif
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1Fu;
    std::uint32_t fraction = bits & 0x3FFu;
    std::uint32_t word = 0;
    if (exponent == 0x1Fu) {
      word = 0x7F800000u | (fraction << 13) | (fraction != 0 ? 0x400000u : 0u);
    } else if (exponent != 0) {
      word = ((exponent + 112u) << 23) | (fraction << 13);
    } else if (fraction != 0) {
      std::uint32_t normal_exponent = 113;
      while ((fraction & 0x400u) == 0) {
        fraction <<= 1;
        --normal_exponent;
      }
      word = (normal_exponent << 23) | ((fraction & 0x3FFu) << 13);
    }
    return __builtin_bit_cast(float, sign | word);
  }

  HALFSTEP_HOST_DEVICE static constexpr float16 from_bits(std::uint16_t pattern) {
    float16 result{};
    result.bits = pattern;
    return result;
  }

  /// Equal bits: -0 differs from +0, and a NaN equals itself.
  HALFSTEP_HOST_DEVICE friend constexpr bool operator==(float16 a, float16 b) {
    return a.bits == b.bits;
  }

 private:
  HALFSTEP_HOST_DEVICE static constexpr std::uint16_t round(float value) {
    const std::uint32_t word = __builtin_bit_cast(std::uint32_t, value);
    const std::uint32_t sign = (word >> 16) & 0x8000u;
    const std::uint32_t magnitude = word & 0x7FFFFFFFu;
#if defined(HALFSTEP_DEVICE_PASS)
    if (!__builtin_is_constant_evaluated() && magnitude <= 0x7F800000u) {
      std::uint16_t nearest = 0;
      asm("cvt.rn.f16.f32 %0, %1;" : "=h"(nearest) : "f"(value));
      return nearest;
    }
#endif
    std::uint32_t half = 0;
    if (magnitude > 0x7F800000u) {
      half = 0x7E00u | ((magnitude >> 13) & 0x3FFu);
    } else if (magnitude >= 0x477FF000u) {  // 65520, halfway between the largest half and 2^16
      half = 0x7C00u;
    } else if (magnitude >= 0x38800000u) {  // 2^-14, the smallest normal half
      half = ((magnitude + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13) - (112u << 10);
    } else if (magnitude > 0x33000000u) {  // 2^-25, half of the smallest subnormal half
      const std::uint32_t significand = (magnitude & 0x7FFFFFu) | 0x800000u;
      const std::uint32_t shift = 126u - (magnitude >> 23);
      const std::uint32_t rest = significand & ((1u << shift) - 1u);
      const std::uint32_t tie = 1u << (shift - 1u);
      half = significand >> shift;
      half += (rest > tie || (rest == tie && (half & 1u) != 0)) ? 1u : 0u;
    }
    return static_cast<std::uint16_t>(sign | half);
  }
};

static_assert(sizeof(float16) == 2);

}  // namespace halfstep
