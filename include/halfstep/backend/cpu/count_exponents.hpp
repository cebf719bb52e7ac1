#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/ops/exponent_counts.hpp>

#include <mutex>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// What is known of a block of floats besides its exponents.
struct ExponentBlock {
  /// Whether it is nothing but zeros and numbers whose exponent the kernel gets right: no inf, no
  /// NaN, and no number so small that dividing it by the unit leaves the normal floats.
  bool regular = true;
  std::int64_t zeros = 0;
  std::int64_t at_most_tiny = 0;  ///< zeros included
  float smallest = 0.0f;
  float largest = 0.0f;
};

/// Takes the exponents out of a block of whole packets. Subtracting the unit's fraction from a
/// number's bits borrows from the exponent where the number's significand is the smaller one.
struct ExponentKernel {
  std::uint32_t unit_fraction;  ///< in units of 2^-23, rounded up: what is below it stays below
  std::uint32_t tiny;           ///< the bits of the largest float that counts as tiny

  template <class N>
  HALFSTEP_INLINE void operator()(const float* x, Index n, std::uint32_t* exponents,
                                  ExponentBlock& block) const {
    const std::uint32_t least = 0x00800000u + unit_fraction;
    N low = load<N>(x);
    N high = low;
    Mask<N> regular = Mask<N>(true);
    Bits<N> zeros = Bits<N>(0u);
    Bits<N> small = Bits<N>(0u);
    for (Index i = 0; i < n; i += lanes<N>) {
      const N number = load<N>(x + i);
      const Bits<N> magnitude = bits_of(number) & 0x7FFFFFFFu;
      const Mask<N> zero = magnitude == 0u;
      regular = regular & (zero | (magnitude - least < 0x7F800000u - least));
      zeros = zeros + select(zero, Bits<N>(1u), 0u);
      small = small + select(magnitude <= tiny, Bits<N>(1u), 0u);
      low = select(number < low, number, low);
      high = select(number > high, number, high);
      store(from_bits<N>((magnitude - unit_fraction) >> 23),
            reinterpret_cast<float*>(exponents + i));
    }
    block.regular = all(regular);
    for (int lane = 0; lane < lanes<N>; ++lane) {
      block.zeros += zeros.v[lane];
      block.at_most_tiny += small.v[lane];
    }
    block.smallest = min(low);
    block.largest = max(high);
  }
};

/// Counts the exponents of floats, block by block, on one thread.
class ExponentTally {
 public:
  static constexpr Index block = 1024;

  explicit ExponentTally(const ExponentScale& scale) : scale_(scale) {
    const BinaryParts unit(scale.unit);
    unit_exponent_ = unit.exponent;
    constexpr std::uint64_t cut = (std::uint64_t{1} << 29) - 1;
    kernel_.unit_fraction = static_cast<std::uint32_t>((unit.fraction + cut) >> 29);
    const double limit = std::min(scale.tiny * scale.unit, numeric_traits<float>::max);
    const auto nearest = static_cast<float>(limit);
    kernel_.tiny = __builtin_bit_cast(std::uint32_t, nearest);
    if (static_cast<double>(nearest) > limit) --kernel_.tiny;
  }

  /// @param n  at most `block`
  /// @param x  readable to the next whole packet of the widest kind, zeros after n
  void add(const float* x, Index n) {
    const Index padded = (n + widest_packet - 1) / widest_packet * widest_packet;
    ExponentBlock found;
    run_memory_bound(kernel_, x, padded, static_cast<std::uint32_t*>(exponents_), found);
    if (!found.regular) {
      for (Index i = 0; i < n; ++i) counts_.add(static_cast<double>(x[i]), scale_);
      return;
    }
    // Four tables: equal neighbours do not wait for each other's store.
    for (Index i = 0; i < padded; i += 4)
      for (Index table = 0; table < 4; ++table) ++tables_[table][exponents_[i + table]];
    counts_.zeros += found.zeros - (padded - n);
    counts_.tiny += found.at_most_tiny - found.zeros;
    if (padded == n) {
      counts_.widen(static_cast<double>(found.smallest), static_cast<double>(found.largest));
    } else {
      for (Index i = 0; i < n; ++i)
        counts_.widen(static_cast<double>(x[i]), static_cast<double>(x[i]));
    }
  }

  /// All that was counted. No regular number lies at the ends, 0 and above 254, but zeros do.
  const ExponentCounts& finish() {
    for (std::size_t e = 1; e < 255; ++e) {
      const std::int64_t count =
          std::int64_t{tables_[0][e]} + tables_[1][e] + tables_[2][e] + tables_[3][e];
      if (count != 0) counts_.at(static_cast<int>(e) - 127 - unit_exponent_) += count;
    }
    return counts_;
  }
  ExponentCounts& counts() { return counts_; }

 private:
  ExponentScale scale_;
  int unit_exponent_ = 0;
  ExponentKernel kernel_{};
  ExponentCounts counts_;
  std::uint32_t exponents_[block];
  std::uint32_t tables_[4][512] = {};
};

/// Counts in pieces of so many numbers on as many threads as there are; `piece(tally, first, last)`
/// counts one. Counts are integers, so the order of the pieces does not matter.
template <class Piece>
void count_in_pieces(Index n, const ExponentScale& scale, ExponentCounts* into,
                     const Piece& piece) {
  constexpr Index grain = 64 * ExponentTally::block;
  *into = ExponentCounts{};
  std::mutex merging;
  parallel_for(n, grain, [&](Index first, Index last) {
    ExponentTally tally(scale);
    piece(tally, first, last);
    const ExponentCounts& found = tally.finish();
    const std::lock_guard lock(merging);
    into->add(found);
  });
}

/// Sets `into` to the counts of n numbers.
template <class T>
void count_exponents(Index n, const T* x, const ExponentScale& scale, ExponentCounts* into) {
  count_in_pieces(n, scale, into, [&](ExponentTally& tally, Index first, Index last) {
    if constexpr (std::is_same_v<T, double>) {
      for (Index i = first; i < last; ++i) tally.counts().add(x[i], scale);
    } else {
      constexpr Index block = ExponentTally::block;
      alignas(64) float wide[block];
      for (Index begin = first; begin < last; begin += block) {
        const Index count = std::min(block, last - begin);
        if constexpr (std::is_same_v<T, float>) {
          if (count == block) {
            tally.add(x + begin, block);
            continue;
          }
        }
        run_elements(CopyElements{}, Index{0}, count, In<T>{x + begin}, Out<float>{wide});
        std::fill(wide + count, wide + block, 0.0f);
        tally.add(wide, count);
      }
    }
  });
}

}  // namespace halfstep
