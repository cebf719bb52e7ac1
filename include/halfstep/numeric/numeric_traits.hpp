#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/bfloat16.hpp>
#include <halfstep/numeric/float16.hpp>

#include <concepts>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// What numbers are stored in.
template <class T>
concept Storage = std::same_as<T, float> || std::same_as<T, float16> || std::same_as<T, bfloat16> ||
    std::same_as<T, double>;

/// What error bounds and checks need to know of a storage type: `unit_roundoff` (half an ulp of
/// one), `max`, `min_normal`, `min_subnormal` as doubles, `digits` of the significand with its
/// hidden bit, the type to `compute` in, and the name.
template <class T>
struct numeric_traits;

template <>
struct numeric_traits<float16> {
  using compute = float;
  static constexpr std::string_view name = "float16";
  static constexpr bool is_16_bit = true;
  static constexpr int digits = 11;
  static constexpr double unit_roundoff = 0x1p-11;
  static constexpr double max = 65504.0;
  static constexpr double min_normal = 0x1p-14;
  static constexpr double min_subnormal = 0x1p-24;
};

template <>
struct numeric_traits<bfloat16> {
  using compute = float;
  static constexpr std::string_view name = "bfloat16";
  static constexpr bool is_16_bit = true;
  static constexpr int digits = 8;
  static constexpr double unit_roundoff = 0x1p-8;
  static constexpr double max = 0x1.FEp127;
  static constexpr double min_normal = 0x1p-126;
  static constexpr double min_subnormal = 0x1p-133;
};

template <>
struct numeric_traits<float> {
  using compute = float;
  static constexpr std::string_view name = "float";
  static constexpr bool is_16_bit = false;
  static constexpr int digits = 24;
  static constexpr double unit_roundoff = 0x1p-24;
  static constexpr double max = 0x1.FFFFFEp127;
  static constexpr double min_normal = 0x1p-126;
  static constexpr double min_subnormal = 0x1p-149;
};

template <>
struct numeric_traits<double> {
  using compute = double;
  static constexpr std::string_view name = "double";
  static constexpr bool is_16_bit = false;
  static constexpr int digits = 53;
  static constexpr double unit_roundoff = 0x1p-53;
  static constexpr double max = 0x1.FFFFFFFFFFFFFp1023;
  static constexpr double min_normal = 0x1p-1022;
  static constexpr double min_subnormal = 0x1p-1074;
};

/// The type in which numbers stored as T are computed.
template <Storage T>
using Compute = typename numeric_traits<T>::compute;

}  // namespace halfstep
