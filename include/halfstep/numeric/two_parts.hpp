#pragma once

#include <halfstep/numeric/packet.hpp>

#include <concepts>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

// How an FP32 number is kept as a 16-bit one and 16 bits more. `split` takes it apart, `join` puts
// it together; all three are numbers N, and what `split` gives is exact in its storage type, so
// that storing it rounds nothing.

/// The number of T nearest to `value`, ties to even: what storing it gives.
template <Storage T, Number N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N rounded_to(const N& value) {
  if constexpr (std::same_as<T, bfloat16> && !std::same_as<N, double>) {
    // In registers, where a store and a load would wait for each other.
    const Bits<N> word = bits_of(value);
    const Bits<N> rounded = word + (((word >> 16) & Bits<N>(1u)) + Bits<N>(0x7FFFu));
    return select(value != value, value, from_bits<N>(rounded & Bits<N>(0xFFFF0000u)));
  } else {
    T stored[lanes<N>];
    store(value, stored);
    return load<N>(static_cast<const T*>(stored));
  }
}

/// The weight, and the 16 bits that the FP32 number has below it.
///
/// @numerics  the weight is rounded with ties away from zero: nearest-even would give an even
///            bfloat16 65,537 preimages, one too many for 16 bits. bfloat16: every finite FP32
///            number comes back to the bit. float16: exact for 2^-17 <= |value| < 65520, rounded to
///            multiples of 2^-40 below; a larger value becomes the largest that has a place, and
///            `split` says so.
template <Storage T>
struct RemainderParts {
  using Rest = remainder16;
  /// Whether an FP32 number may be too large.
  static constexpr bool has_limit = std::same_as<T, float16>;
  /// The largest magnitude that has a place.
  static constexpr float limit =
      has_limit ? 65504.0f + 32.0f * 32760.0f / 65536.0f : 0x1.FFFFFEp127f;

  template <Number N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE static N join(const N& weight, const N& rest) {
    if constexpr (std::same_as<N, double>) {
      return static_cast<double>(join(static_cast<float>(weight), static_cast<float>(rest)));
    } else if constexpr (std::same_as<T, bfloat16>) {
      return from_bits<N>(bits_of(weight) + truncate_to_int(rest));
    } else {
      const N magnitude = abs(weight);
      const N joined = magnitude + rest * (spacing(magnitude) * N(0x1p-16f));
      return with_sign_of(weight, joined);
    }
  }

  /// Returns where the value had no place.
  template <Number N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE static Mask<N> split(const N& value, N& weight, N& rest) {
    if constexpr (std::same_as<N, double>) {
      float narrow_weight = 0.0f, narrow_rest = 0.0f;
      const bool beyond = split(static_cast<float>(value), narrow_weight, narrow_rest);
      weight = static_cast<double>(narrow_weight);
      rest = static_cast<double>(narrow_rest);
      return beyond;
    } else if constexpr (std::same_as<T, bfloat16>) {
      const Bits<N> word = bits_of(value);
      const Bits<N> upper = (word + Bits<N>(0x8000u)) & Bits<N>(0xFFFF0000u);
      const Mask<N> finite = is_finite(value);
      weight = select(finite, from_bits<N>(upper), value);
      rest = select(finite, int_to_float<N>(word - upper), N(0.0f));
      return value != value;
    } else {
      const Mask<N> beyond = !(abs(value) <= N(limit));
      const N magnitude = select(beyond, N(limit), abs(value));
      const N step = spacing(magnitude);
      const N whole = floor(fma(magnitude, inverse(step), N(0.5f))) * step;
      weight = with_sign_of(value, whole);
      // In units of the weight's spacing, which is twice as wide where rounding reached a power of
      // two. Below 2^-17 the value has more digits than there are units.
      const N units = (magnitude - whole) * (inverse(spacing(whole)) * N(65536.0f));
      rest = min(round_to_int(units), N(32767.0f));
      return beyond;
    }
  }

 private:
  /// The distance between float16 numbers from `magnitude` on; 2^-24 below 2^-14.
  template <Number N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE static N spacing(const N& magnitude) {
    const N power = from_bits<N>(bits_of(magnitude) & Bits<N>(0x7F800000u));
    return max(power, N(0x1p-14f)) * N(0x1p-10f);
  }
  /// 1 / a power of two, without a division.
  template <Number N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE static N inverse(const N& power) {
    return from_bits<N>(Bits<N>(0x7F000000u) - bits_of(power));
  }
  template <Number N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE static N with_sign_of(const N& sign, const N& magnitude) {
    return from_bits<N>(bits_of(magnitude) | (bits_of(sign) & Bits<N>(0x80000000u)));
  }
};

/// The weight, and what rounding took from it as another number of the same type: Kahan's
/// compensation ("Further remarks on reducing truncation errors", CACM 1965).
///
/// @numerics  the weight is rounded to nearest even, and so is the compensation: together they have
///            twice the type's digits and a bit, as far as its smallest number reaches
template <Storage T>
struct CompensatedParts {
  using Rest = T;
  static constexpr bool has_limit = false;

  template <Number N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE static N join(const N& weight, const N& rest) {
    return weight + rest;
  }
  template <Number N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE static Mask<N> split(const N& value, N& weight, N& rest) {
    weight = rounded_to<T>(value);
    rest = rounded_to<T>(select(is_finite(weight), value - weight, N(0.0f)));
    return value != value;
  }
};

}  // namespace halfstep
