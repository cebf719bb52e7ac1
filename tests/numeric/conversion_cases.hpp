#pragma once

#include <halfstep/core/random.hpp>
#include <halfstep/numeric/numeric_traits.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#if defined(HALFSTEP_X86)
#include <xmmintrin.h>
#endif

// What the conversion tests of scalars, packets and arrays share: an independent definition of both
// 16-bit types, and the floats at which a conversion can go wrong.

/// Sets flush-to-zero and denormals-are-zero for a scope.
class FlushToZero {
 public:
#if defined(HALFSTEP_X86)
  explicit FlushToZero(bool on) : saved_(_mm_getcsr()) {
    if (on) _mm_setcsr(saved_ | 0x8040u);
  }
  ~FlushToZero() { _mm_setcsr(saved_); }
#else
  explicit FlushToZero(bool) {}
#endif
  FlushToZero(const FlushToZero&) = delete;
  FlushToZero& operator=(const FlushToZero&) = delete;

 private:
  unsigned saved_ = 0;
};

inline std::uint32_t word_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
inline float float_of(std::uint32_t word) { return __builtin_bit_cast(float, word); }

/// The value of a pattern by the definition of the format: fields and a power of two.
template <class T>
double value_of_fields(std::uint16_t pattern) {
  constexpr int fraction_bits = halfstep::numeric_traits<T>::digits - 1;
  constexpr int exponent_bits = 15 - fraction_bits;
  constexpr int bias = (1 << (exponent_bits - 1)) - 1;
  const int fraction = pattern & ((1 << fraction_bits) - 1);
  const int exponent = (pattern >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double sign = (pattern & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

/// The value that x rounds to in T, by exact arithmetic in double.
template <class T>
double rounded_value(double x) {
  using traits = halfstep::numeric_traits<T>;
  if (std::isnan(x) || std::isinf(x) || x == 0.0) return x;
  const int exponent = std::max(std::ilogb(x), std::ilogb(traits::min_normal));
  const double unit = std::ldexp(1.0, exponent - (traits::digits - 1));
  const double result = std::nearbyint(x / unit) * unit;
  if (std::abs(result) > traits::max) {
    return std::copysign(std::numeric_limits<double>::infinity(), x);
  }
  return result;
}

/// Every pattern of T, every midpoint between neighbours and both neighbours of the midpoint (also
/// beyond the largest number), NaNs with many payloads, subnormal floats, and random floats.
template <class T>
std::vector<float> floats_that_matter() {
  std::vector<float> values;
  const auto add = [&values](float x) {
    values.push_back(x);
    values.push_back(-x);
  };
  const int infinity_pattern = std::is_same_v<T, halfstep::float16> ? 0x7C00 : 0x7F80;
  const double last_unit = halfstep::numeric_traits<T>::max -
                           value_of_fields<T>(static_cast<std::uint16_t>(infinity_pattern - 2));
  for (int pattern = 0; pattern < infinity_pattern; ++pattern) {
    const double low = value_of_fields<T>(static_cast<std::uint16_t>(pattern));
    const double high = pattern + 1 < infinity_pattern
                            ? value_of_fields<T>(static_cast<std::uint16_t>(pattern + 1))
                            : low + last_unit;
    const float middle = static_cast<float>((low + high) / 2);
    add(static_cast<float>(low));
    add(middle);
    add(std::nextafterf(middle, 0.0f));
    add(std::nextafterf(middle, std::numeric_limits<float>::infinity()));
  }
  add(std::numeric_limits<float>::infinity());
  add(std::numeric_limits<float>::max());
  for (const std::uint32_t nan : {0x7F800001u, 0x7FFFFFFFu, 0x7FC00000u, 0x7FBFFFFFu, 0x7F80FFFFu,
                                  0x7F810000u, 0x7F802000u, 0x7F801FFFu, 0x7FFFE000u}) {
    values.push_back(float_of(nan));
    values.push_back(float_of(nan | 0x80000000u));
  }
  for (std::uint32_t word = 1; word < 0x00800000u; word += 4099) add(float_of(word));
  halfstep::RandomStream random(7);
  for (int i = 0; i < 100000; ++i) values.push_back(float_of(random()));
  return values;
}
