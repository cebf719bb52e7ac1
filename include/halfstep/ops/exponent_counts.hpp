#pragma once

#include <halfstep/core/macros.hpp>

#include <array>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// What numbers are measured by when their exponents are counted.
struct ExponentScale {
  /// The exponents are those of x / unit: a loss scale that the numbers still carry. Positive and
  /// finite, as a float; powers of two and others.
  double unit = 1.0;
  /// Numbers with 0 < |x / unit| <= tiny are counted as such. A power of two, or 0.
  double tiny = 0.0;
};

/// A positive finite double as significand 2^exponent, subnormals under their true exponent.
struct BinaryParts {
  int exponent;
  std::uint64_t fraction;  ///< of the significand in [1, 2), in units of 2^-52

  HALFSTEP_HOST_DEVICE explicit constexpr BinaryParts(double x) : exponent(0), fraction(0) {
    constexpr std::uint64_t fraction_bits = (std::uint64_t{1} << 52) - 1;
    std::uint64_t word = __builtin_bit_cast(std::uint64_t, x);
    exponent = static_cast<int>(word >> 52);
    if (exponent == 0) {
      exponent = 1;
      for (; word <= fraction_bits; word <<= 1) --exponent;
    }
    exponent -= 1023;
    fraction = word & fraction_bits;
  }
};

/// What one read of numbers finds: how many have which binary exponent, and what has none. It lives
/// where the numbers live.
struct ExponentCounts {
  /// Exponents of any double divided by any float.
  static constexpr int lowest = -1074 - 128;
  static constexpr int highest = 1023 + 149;

  std::int64_t zeros = 0;
  std::int64_t infinities = 0;
  std::int64_t nans = 0;
  std::int64_t tiny = 0;  ///< as the scale, or whoever counted, says; counted below as well
  /// The range of the finite numbers, not divided by the unit; turned round where there are none.
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();
  /// exponents[e - lowest] is how many have floor(log2(|x / unit|)) = e.
  std::array<std::int64_t, highest - lowest + 1> exponents{};

  HALFSTEP_HOST_DEVICE constexpr std::int64_t& at(int exponent) {
    return exponents[static_cast<std::size_t>(exponent - lowest)];
  }
  HALFSTEP_HOST_DEVICE constexpr std::int64_t at(int exponent) const {
    return exponents[static_cast<std::size_t>(exponent - lowest)];
  }
  HALFSTEP_HOST_DEVICE constexpr std::int64_t not_finite() const { return infinities + nans; }
  HALFSTEP_HOST_DEVICE constexpr bool finite() const { return not_finite() == 0; }

  /// Counts a number: the definition.
  HALFSTEP_HOST_DEVICE constexpr void add(double x, const ExponentScale& scale) {
    const double magnitude = x < 0.0 ? -x : x;
    if (x != x) {
      ++nans;
    } else if (magnitude > std::numeric_limits<double>::max()) {
      ++infinities;
    } else {
      widen(x, x);
      if (magnitude == 0.0) {
        ++zeros;
        return;
      }
      if (magnitude <= scale.tiny * scale.unit) ++tiny;
      const BinaryParts number(magnitude);
      const BinaryParts unit(scale.unit);
      ++at(number.exponent - unit.exponent - (number.fraction < unit.fraction ? 1 : 0));
    }
  }
  /// Makes the range hold [low, high] too.
  HALFSTEP_HOST_DEVICE constexpr void widen(double low, double high) {
    if (low < smallest) smallest = low;
    if (high > largest) largest = high;
  }
  /// Adds what another read found.
  HALFSTEP_HOST_DEVICE constexpr void add(const ExponentCounts& other) {
    zeros += other.zeros;
    infinities += other.infinities;
    nans += other.nans;
    tiny += other.tiny;
    widen(other.smallest, other.largest);
    for (std::size_t i = 0; i < exponents.size(); ++i) exponents[i] += other.exponents[i];
  }
};

}  // namespace halfstep
