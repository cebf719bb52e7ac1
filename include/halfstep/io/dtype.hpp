#pragma once

#include <halfstep/numeric/bfloat16.hpp>
#include <halfstep/numeric/float16.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI::io {

/// The bits of an element of a safetensors dtype; 0 where there is no such dtype.
constexpr int dtype_bits(std::string_view dtype) {
  struct Known {
    std::string_view name;
    int bits;
  };
  constexpr Known known[] = {
      {"F32", 32},    {"BF16", 16},       {"F16", 16},        {"F64", 64},    {"I64", 64},
      {"I32", 32},    {"U8", 8},          {"BOOL", 8},        {"I8", 8},      {"I16", 16},
      {"U16", 16},    {"U32", 32},        {"U64", 64},        {"F8_E4M3", 8}, {"F8_E5M2", 8},
      {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"C64", 64},    {"F6_E2M3", 6},
      {"F6_E3M2", 6}, {"F4", 4},
  };
  for (const Known& one : known)
    if (one.name == dtype) return one.bits;
  return 0;
}

/// The safetensors dtype of a C++ type; empty where it has none.
template <class T>
constexpr std::string_view dtype_of() {
  if constexpr (std::is_same_v<T, float16>) return "F16";
  if constexpr (std::is_same_v<T, bfloat16>) return "BF16";
  if constexpr (std::is_same_v<T, bool>) return "BOOL";
  if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 4 ? "F32" : sizeof(T) == 8 ? "F64" : "";
  if constexpr (std::is_integral_v<T>) {
    constexpr std::string_view with_sign[] = {"I8", "I16", "I32", "I64"};
    constexpr std::string_view without[] = {"U8", "U16", "U32", "U64"};
    constexpr int which = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return std::is_signed_v<T> ? with_sign[which] : without[which];
  }
  return "";
}

/// Calls `f(T{})` with the C++ type of a dtype; false where it has none (F8_E4M3, C64, ...).
template <class F>
bool with_dtype(std::string_view dtype, const F& f) {
  const auto is = [&](auto zero) {
    if (dtype != dtype_of<decltype(zero)>()) return false;
    f(zero);
    return true;
  };
  return is(float{}) || is(float16{}) || is(bfloat16{}) || is(double{}) || is(std::int8_t{}) ||
         is(std::int16_t{}) || is(std::int32_t{}) || is(std::int64_t{}) || is(std::uint8_t{}) ||
         is(std::uint16_t{}) || is(std::uint32_t{}) || is(std::uint64_t{}) || is(bool{});
}

}  // namespace halfstep::inline HALFSTEP_ABI::io
