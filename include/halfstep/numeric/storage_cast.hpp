#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/numeric/remainder16.hpp>

#include <concepts>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// A double cut to float, with the last bit set when anything was cut off (round to odd). A second
/// rounding, to a 16-bit type, then gives what one rounding of the double would.
HALFSTEP_HOST_DEVICE constexpr float round_to_odd(double value) {
  const std::uint64_t word = __builtin_bit_cast(std::uint64_t, value);
  const std::uint32_t sign = static_cast<std::uint32_t>(word >> 32) & 0x80000000u;
  const std::uint64_t magnitude = word & 0x7FFFFFFFFFFFFFFFu;
  const std::uint64_t exponent = magnitude >> 52;
  std::uint64_t result = 0;
  if (magnitude > (std::uint64_t{2047} << 52)) {
    result = 0x7FC00000u | ((magnitude >> 29) & 0x3FFFFFu);
  } else if (exponent >= 1023 + 128) {
    result = 0x7F800000u;
  } else if (exponent >= 1023 - 126) {
    result = (magnitude - (std::uint64_t{1023 - 127} << 52)) >> 29;
    result |= (magnitude & 0x1FFFFFFFu) != 0 ? 1u : 0u;
  } else if (exponent >= 1023 - 150) {  // a subnormal float: units of 2^-149
    const std::uint64_t significand = (magnitude & 0xFFFFFFFFFFFFFu) | (std::uint64_t{1} << 52);
    const std::uint64_t shift = 1075 - 149 - exponent;
    result = significand >> shift;
    result |= (significand & ((std::uint64_t{1} << shift) - 1)) != 0 ? 1u : 0u;
  } else {
    result = magnitude != 0 ? 1u : 0u;
  }
  return __builtin_bit_cast(float, sign | static_cast<std::uint32_t>(result));
}

/// A number of one storage type as another: exact where To holds it, else rounded once, to nearest
/// even.
///
/// @numerics  to and from the 16-bit types integer code; between float and double the processor's
/// own
///            conversion, which follows its flush-to-zero and rounding mode
template <Storage To, Storage From>
HALFSTEP_HOST_DEVICE constexpr To storage_cast(From value) {
  if constexpr (std::same_as<To, From>) {
    return value;
  } else if constexpr (numeric_traits<From>::is_16_bit) {
    return storage_cast<To>(static_cast<float>(value));
  } else if constexpr (std::same_as<From, double> && numeric_traits<To>::is_16_bit) {
    return To(round_to_odd(value));
  } else {
    return static_cast<To>(value);
  }
}

/// A remainder is read and written as a whole number.
template <Storage To>
HALFSTEP_HOST_DEVICE constexpr To storage_cast(remainder16 value) {
  return storage_cast<To>(static_cast<float>(value.units));
}
template <std::same_as<remainder16> To, std::floating_point From>
HALFSTEP_HOST_DEVICE constexpr To storage_cast(From value) {
  return {static_cast<std::int16_t>(value)};
}

/// Any stored number as a float.
template <Storage From>
HALFSTEP_HOST_DEVICE constexpr float to_float(From value) {
  return storage_cast<float>(value);
}

}  // namespace halfstep
