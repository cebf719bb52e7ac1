#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/core/random.hpp>
#include <halfstep/numeric/packet.hpp>

#include <concepts>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

/// Where a kernel's random words come from: element i's word depends on seed, offset and i alone,
/// not on the instruction set or the thread. The offset tells uses apart: the attempted step and
/// the operation in it.
///
/// Element i = 64 block + 16 w + column has word w of Philox at the counter (16 block + column,
/// offset), so that one Philox of packets serves four packets of neighbours.
struct RandomSource {
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;
};

/// Elements that share Philox calls; a loop that draws by blocks must split work at multiples of
/// it.
inline constexpr std::uint64_t random_block_elements = 64;

/// The words of elements 64 block + 16 w + column + (0 ... lanes - 1), w = 0 ... 3.
///
/// @param column  a multiple of the lanes, below 16
template <Number N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void random_block(const RandomSource& source,
                                                       std::uint64_t block, int column,
                                                       Bits<N> (&words)[4]) {
  const std::uint64_t low = block * 16 + static_cast<std::uint64_t>(column);
  std::uint32_t key_0 = static_cast<std::uint32_t>(source.seed);
  std::uint32_t key_1 = static_cast<std::uint32_t>(source.seed >> 32);
  Bits<N> c0 = Bits<N>(static_cast<std::uint32_t>(low)) + lane_index<N>();
  Bits<N> c1 = Bits<N>(static_cast<std::uint32_t>(low >> 32));
  Bits<N> c2 = Bits<N>(static_cast<std::uint32_t>(source.offset));
  Bits<N> c3 = Bits<N>(static_cast<std::uint32_t>(source.offset >> 32));
  for (int round = 0; round < Philox::rounds; ++round) {
    const Bits<N> multiplier_0(Philox::multiplier_0);
    const Bits<N> multiplier_1(Philox::multiplier_1);
    const Bits<N> high_0 = multiply_high(multiplier_0, c0);
    const Bits<N> high_1 = multiply_high(multiplier_1, c2);
    const Bits<N> low_0 = multiplier_0 * c0;
    c0 = high_1 ^ c1 ^ Bits<N>(key_0);
    c1 = multiplier_1 * c2;
    c2 = high_0 ^ c3 ^ Bits<N>(key_1);
    c3 = low_0;
    key_0 += Philox::key_step_0;
    key_1 += Philox::key_step_1;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/// The words of elements index ... index + lanes - 1. A whole Philox for one packet: random_block
/// is four times cheaper where a loop takes 64 elements at a time.
///
/// @param index  a multiple of the lanes
template <Number N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE Bits<N> random_bits(const RandomSource& source,
                                                         std::uint64_t index) {
  Bits<N> words[4];
  random_block<N>(source, index / random_block_elements, static_cast<int>(index % 16), words);
  return words[(index % random_block_elements) / 16];
}

/// Random words as numbers in [0, 1): the upper 24 bits times 2^-24.
template <Number N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N uniform01(const Bits<N>& word) {
  return int_to_float<N>(word >> 8) * N(0x1p-24f);
}

/// value rounded to a neighbour in T, up with the probability of its distance from the lower one,
/// so that the expected result is the value. The result is a number that T holds exactly: `store`
/// keeps it.
///
/// @numerics  exact values, inf and NaN are unchanged; beyond the largest T the upper neighbour is
///            inf. bfloat16 uses the lower 16 random bits, float16 13, and 21 for its subnormals,
///            where cutting what lies below 2^-21 of their spacing biases by less than that.
template <Storage T, Number N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N stochastic_round(const N& value, const Bits<N>& random) {
  if constexpr (!numeric_traits<T>::is_16_bit) {
    return value;
  } else if constexpr (std::same_as<N, double>) {
    return static_cast<double>(stochastic_round<T>(static_cast<float>(value), random));
  } else {
    const Bits<N> word = bits_of(value);
    const Bits<N> magnitude = word & Bits<N>(0x7FFFFFFFu);
    const Bits<N> sign = word ^ magnitude;
    constexpr std::uint32_t dropped = std::same_as<T, bfloat16> ? 0xFFFFu : 0x1FFFu;
    Bits<N> result = (magnitude + (random & Bits<N>(dropped))) & Bits<N>(~dropped);
    if constexpr (std::same_as<T, float16>) {
      result = select(result >= Bits<N>(0x47800000u), Bits<N>(0x7F800000u), result);
      // Below 2^-14 halves are 2^-24 apart: count in units of 2^-45, add, and drop 21 bits.
      const Mask<N> is_subnormal = magnitude < Bits<N>(0x38800000u);
      const N small = from_bits<N>(select(is_subnormal, magnitude, Bits<N>(0u)));
      const Bits<N> units = truncate_to_int(small * N(0x1p45f)) + (random & Bits<N>(0x1FFFFFu));
      const Bits<N> rounded = bits_of(int_to_float<N>(units >> 21) * N(0x1p-24f));
      result = select(is_subnormal, rounded, result);
    }
    const Mask<N> not_finite = magnitude >= Bits<N>(0x7F800000u);
    return from_bits<N>(select(not_finite, word, result | sign));
  }
}

}  // namespace halfstep
