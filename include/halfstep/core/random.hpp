#pragma once

#include <halfstep/core/macros.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// Four random words, or the four words of a counter.
struct PhiloxBlock {
  std::uint32_t words[4];

  HALFSTEP_HOST_DEVICE constexpr std::uint32_t operator[](int i) const { return words[i]; }
  HALFSTEP_HOST_DEVICE friend constexpr bool operator==(const PhiloxBlock& a,
                                                        const PhiloxBlock& b) {
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
  }
};

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC
/// 2011): a bijection of 128-bit counters for each 64-bit key. It has no state, so a random number
/// depends on what it is for, not on which thread asks, nor when.
struct Philox {
  static constexpr std::uint32_t multiplier_0 = 0xD2511F53u;
  static constexpr std::uint32_t multiplier_1 = 0xCD9E8D57u;
  static constexpr std::uint32_t key_step_0 = 0x9E3779B9u;
  static constexpr std::uint32_t key_step_1 = 0xBB67AE85u;
  static constexpr int rounds = 10;

  std::uint32_t key[2];

  HALFSTEP_HOST_DEVICE constexpr explicit Philox(std::uint64_t seed)
      : key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)} {}

  /// The counter (low, high), each of 64 bits.
  HALFSTEP_HOST_DEVICE static constexpr PhiloxBlock counter(std::uint64_t low, std::uint64_t high) {
    return {{static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32),
             static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)}};
  }

  HALFSTEP_HOST_DEVICE constexpr PhiloxBlock operator()(PhiloxBlock c) const {
    std::uint32_t k0 = key[0];
    std::uint32_t k1 = key[1];
    for (int round = 0; round < rounds; ++round) {
      const std::uint64_t product_0 = std::uint64_t{multiplier_0} * c[0];
      const std::uint64_t product_1 = std::uint64_t{multiplier_1} * c[2];
      c = {{static_cast<std::uint32_t>(product_1 >> 32) ^ c[1] ^ k0,
            static_cast<std::uint32_t>(product_1),
            static_cast<std::uint32_t>(product_0 >> 32) ^ c[3] ^ k1,
            static_cast<std::uint32_t>(product_0)}};
      k0 += key_step_0;
      k1 += key_step_1;
    }
    return c;
  }
};

/// A random word as a float in [0, 1): its upper 24 bits times 2^-24.
HALFSTEP_HOST_DEVICE constexpr float uniform01(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

struct NormalPair {
  float first;
  float second;
};

/// Two independent normal numbers, mean 0 and variance 1, from two random words (Box, Muller 1958).
HALFSTEP_HOST_DEVICE inline NormalPair normal_pair(std::uint32_t a, std::uint32_t b) {
  constexpr float two_pi = 6.28318530717958647692f;
  // In (0, 1], so that the logarithm is finite.
  const float uniform = static_cast<float>((a >> 8) + 1u) * 0x1p-24f;
  const float radius = std::sqrt(-2.0f * std::log(uniform));
  const float angle = two_pi * uniform01(b);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// Philox read as a sequence, for what is drawn in order: initial values, shuffles. The same seed
/// and stream give the same numbers everywhere. A std::uniform_random_bit_generator.
class RandomStream {
 public:
  using result_type = std::uint32_t;

  constexpr explicit RandomStream(std::uint64_t seed, std::uint64_t stream = 0)
      : philox_(seed), stream_(stream) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  constexpr result_type operator()() {
    if (position_ % 4 == 0) block_ = philox_(Philox::counter(position_ / 4, stream_));
    return block_[static_cast<int>(position_++ % 4)];
  }

  /// In [0, 1).
  constexpr float uniform() { return uniform01((*this)()); }

  /// Mean 0, variance 1.
  float normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const result_type a = (*this)();
    const NormalPair pair = normal_pair(a, (*this)());
    spare_ = pair.second;
    has_spare_ = true;
    return pair.first;
  }

  /// An integer in [0, bound), each equally likely; bound must not be 0.
  constexpr std::uint64_t below(std::uint64_t bound) {
    // Words past the last whole multiple of bound are drawn again.
    const std::uint64_t excess = (std::numeric_limits<std::uint64_t>::max() % bound + 1) % bound;
    std::uint64_t word = 0;
    do {
      word = std::uint64_t{(*this)()} << 32;
      word |= (*this)();
    } while (word > std::numeric_limits<std::uint64_t>::max() - excess);
    return word % bound;
  }

 private:
  Philox philox_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;
  PhiloxBlock block_{};
  float spare_ = 0.0f;
  bool has_spare_ = false;
};

}  // namespace halfstep
