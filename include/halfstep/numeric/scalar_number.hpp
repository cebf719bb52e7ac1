#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/storage_cast.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// Numbers of one value stand in the namespace of packets: there both are found by one look-up, and
// fma depends on the instruction set that this translation unit is compiled for.
namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

/// A number that is one value: what formulas run on in reference loops and on a GPU.
template <class N>
concept ScalarNumber = std::same_as<N, float> || std::same_as<N, double>;

/// What belongs to a number N: its lanes, its mask and one 32-bit word a lane.
template <class N>
struct number_traits;

template <ScalarNumber N>
struct number_traits<N> {
  static constexpr int lanes = 1;
  using mask = bool;
  using bits = std::uint32_t;
};

template <class N>
inline constexpr int lanes = number_traits<N>::lanes;

/// The result of comparing two N.
template <class N>
using Mask = typename number_traits<N>::mask;

/// One std::uint32_t a lane: random words, and the bit patterns of floats.
template <class N>
using Bits = typename number_traits<N>::bits;

// The operations below exist for packets too (packet.hpp), so that a formula is written once:
//   template <class N> N operator()(const N& x) const { return select(x > 0.0f, x, N(0.0f)); }

template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N select(bool mask, N a, std::type_identity_t<N> b) {
  return mask ? a : b;
}
HALFSTEP_HOST_DEVICE constexpr std::uint32_t select(bool mask, std::uint32_t a, std::uint32_t b) {
  return mask ? a : b;
}
HALFSTEP_HOST_DEVICE constexpr bool any(bool mask) { return mask; }
HALFSTEP_HOST_DEVICE constexpr bool all(bool mask) { return mask; }

/// a * b + c, with one rounding where the target has the instruction.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N fma(N a, std::type_identity_t<N> b, std::type_identity_t<N> c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  if constexpr (std::same_as<N, float>) return __builtin_fmaf(a, b, c);
  return static_cast<N>(__builtin_fma(a, b, c));
#else
  return a * b + c;
#endif
}

template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N sqrt(N x) {
  return std::sqrt(x);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N floor(N x) {
  return std::floor(x);
}
/// The nearest integer, ties to even.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N round_to_int(N x) {
  return std::nearbyint(x);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N abs(N x) {
  return std::fabs(x);
}
/// The smaller one; NaN when either is NaN.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N min(N a, std::type_identity_t<N> b) {
  return b < a || b != b ? b : a;
}
/// The larger one; NaN when either is NaN.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N max(N a, std::type_identity_t<N> b) {
  return b > a || b != b ? b : a;
}

/// The nearest number in [low, high], which must not be NaN; a NaN stays one.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N clamp(N x, std::type_identity_t<N> low,
                                       std::type_identity_t<N> high) {
  const N capped = high < x ? high : x;
  return low > capped ? low : capped;
}

HALFSTEP_HOST_DEVICE constexpr bool is_finite(float x) {
  return (__builtin_bit_cast(std::uint32_t, x) & 0x7F800000u) != 0x7F800000u;
}
HALFSTEP_HOST_DEVICE constexpr bool is_finite(double x) {
  constexpr std::uint64_t exponent = std::uint64_t{0x7FF} << 52;
  return (__builtin_bit_cast(std::uint64_t, x) & exponent) != exponent;
}

HALFSTEP_HOST_DEVICE constexpr std::uint32_t bits_of(float x) {
  return __builtin_bit_cast(std::uint32_t, x);
}
template <std::same_as<float> N>
HALFSTEP_HOST_DEVICE constexpr float from_bits(std::uint32_t x) {
  return __builtin_bit_cast(float, x);
}
/// Words as signed integers, as numbers.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N int_to_float(std::uint32_t x) {
  return static_cast<N>(static_cast<std::int32_t>(x));
}
/// The integer part as a signed word; |x| must be below 2^31.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr std::uint32_t truncate_to_int(N x) {
  return static_cast<std::uint32_t>(static_cast<std::int32_t>(x));
}
/// The upper 32 bits of the product.
HALFSTEP_HOST_DEVICE constexpr std::uint32_t multiply_high(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>((std::uint64_t{a} * b) >> 32);
}
/// The word of one lane.
HALFSTEP_HOST_DEVICE constexpr std::uint32_t word_of_lane(std::uint32_t x, int) { return x; }
/// 0, 1, 2, ... over the lanes.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr std::uint32_t lane_index() {
  return 0;
}

/// The sum and the extremes over the lanes.
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N sum(N x) {
  return x;
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N max(N x) {
  return x;
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N min(N x) {
  return x;
}

template <ScalarNumber N, Storage T>
HALFSTEP_HOST_DEVICE constexpr N load(const T* p) {
  return storage_cast<N>(*p);
}
template <ScalarNumber N, Storage T>
HALFSTEP_HOST_DEVICE constexpr void store(N x, T* p) {
  *p = storage_cast<T>(x);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr N load(const remainder16* p) {
  return storage_cast<N>(*p);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE constexpr void store(N x, remainder16* p) {
  *p = storage_cast<remainder16>(x);
}
template <ScalarNumber N, Storage T>
HALFSTEP_HOST_DEVICE constexpr N load_partial(const T* p, std::size_t count, float padding = 0.0f) {
  return count == 0 ? static_cast<N>(padding) : storage_cast<N>(*p);
}
template <ScalarNumber N, Storage T>
HALFSTEP_HOST_DEVICE constexpr void store_partial(N x, T* p, std::size_t count) {
  if (count != 0) *p = storage_cast<T>(x);
}

}  // namespace halfstep
