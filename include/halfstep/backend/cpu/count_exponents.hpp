#pragma once

#include <halfstep/backend/cpu/elementwise.hpp>
#include <halfstep/ops/exponent_counts.hpp>

#include <cmath>
#include <cstring>
#include <mutex>
#include <optional>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu::inline HALFSTEP_ISA {

/// What is found in a block of numbers that are read as floats.
struct ExponentBlock {
  static constexpr Index size = 1024;

  /// Whether there is no inf, no NaN, and no number so small that its quotient by the unit has no
  /// bin; the rest is only known where there is none.
  bool regular = true;
  int first_bin = 0;
  int last_bin = -1;              ///< below the first where all are zeros
  std::int64_t at_most_tiny = 0;  ///< zeros included
  float smallest = 0.0f;
  float largest = 0.0f;
  std::int64_t counts[256 + 3];  ///< of the bins from the first to the last; four at a time
};

/// Counts the exponents of a block. Bin 0 is the smallest normal exponent; subtracting `least` from
/// a number's bits borrows from the exponent where the number's fraction is below the unit's.
///
/// Bins are packed into bytes, in no order, and each is compared with all of them: a block's
/// numbers have one or two dozen exponents, and vectors of bytes are compared in less time than a
/// table is incremented.
struct ExponentKernel {
  std::uint32_t least;  ///< the bits of the smallest number of bin 0
  float tiny;           ///< the largest number that counts as such

  template <class N, class T>
  HALFSTEP_INLINE void operator()(const T* x, ExponentBlock& block) const {
    std::uint32_t packed[ExponentBlock::size / 4];
    sort<N>(x, packed, block);
    if (block.regular) count(packed, block);
  }

 private:
  template <class N>
  struct Met {
    N smallest;
    N largest;
    N above_zero;  ///< the smallest magnitude but 0, less the last bit
    Mask<N> finite = Mask<N>(true);
    Bits<N> at_most_tiny = Bits<N>(0u);
  };

  template <class N, class T>
  HALFSTEP_INLINE void sort(const T* x, std::uint32_t* packed, ExponentBlock& block) const {
    constexpr float most = std::numeric_limits<float>::max();
    Met<N> met;
    met.smallest = load<N>(x);
    met.largest = met.smallest;
    met.above_zero = N(most);
    constexpr Index step = lanes<N>;
    for (Index i = 0; i < ExponentBlock::size; i += 4 * step) {
      const Bits<N> a = bin(load<N>(x + i), met);
      const Bits<N> b = bin(load<N>(x + i + step), met);
      const Bits<N> c = bin(load<N>(x + i + 2 * step), met);
      const Bits<N> d = bin(load<N>(x + i + 3 * step), met);
      const Bits<N> word = ((a >> 23) & 0xFFu) | ((b >> 15) & 0xFF00u) | ((c >> 7) & 0xFF0000u) |
                           ((d << 1) & 0xFF000000u);
      store(from_bits<N>(word), reinterpret_cast<float*>(packed + i / 4));
    }
    for (int lane = 0; lane < lanes<N>; ++lane)
      block.at_most_tiny += word_of_lane(met.at_most_tiny, lane);
    block.smallest = min(met.smallest);
    block.largest = max(met.largest);
    const std::uint32_t lowest = bits_of(min(met.above_zero)) + 1u;
    const std::uint32_t highest =
        bits_of(-block.smallest > block.largest ? -block.smallest : block.largest);
    const bool zeros = (highest & 0x7FFFFFFFu) == 0u;
    block.regular = all(met.finite) && (zeros || lowest >= least);
    if (zeros) return;
    block.first_bin = static_cast<int>((lowest - least) >> 23);
    block.last_bin = static_cast<int>((highest - least) >> 23);
  }
  /// The bin of a number, in bits 23 to 30; of 0 one above all others.
  template <class N>
  HALFSTEP_INLINE Bits<N> bin(const N& number, Met<N>& met) const {
    const Bits<N> bits = bits_of(number) & 0x7FFFFFFFu;
    const N magnitude = from_bits<N>(bits);
    const N lowered = from_bits<N>(bits - 1u);  // of 0 a NaN, which is below nothing
    met.above_zero = select(lowered < met.above_zero, lowered, met.above_zero);
    met.smallest = select(number < met.smallest, number, met.smallest);
    met.largest = select(number > met.largest, number, met.largest);
    met.finite = met.finite & (magnitude <= N(std::numeric_limits<float>::max()));
    met.at_most_tiny = met.at_most_tiny + select(magnitude <= N(tiny), Bits<N>(1u), 0u);
    return bits - least;
  }

  // The compiler splits these vectors where the processor's are shorter.
  typedef std::uint8_t Bytes __attribute__((vector_size(32)));
  typedef std::uint8_t StoredBytes __attribute__((vector_size(32), aligned(4), may_alias));

  HALFSTEP_INLINE static void count(const std::uint32_t* packed, ExponentBlock& block) {
    for (int first = block.first_bin; first <= block.last_bin; first += 4) {
      const Bytes a = Bytes{} + static_cast<std::uint8_t>(first);
      const Bytes b = a + std::uint8_t{1};
      const Bytes c = a + std::uint8_t{2};
      const Bytes d = a + std::uint8_t{3};
      Bytes of_a{}, of_b{}, of_c{}, of_d{};  // at most 32 in each byte
      for (Index i = 0; i < ExponentBlock::size / 4; i += 8) {
        const Bytes bins = *reinterpret_cast<const StoredBytes*>(packed + i);
        of_a -= (Bytes)(bins == a);
        of_b -= (Bytes)(bins == b);
        of_c -= (Bytes)(bins == c);
        of_d -= (Bytes)(bins == d);
      }
      block.counts[first] = sum_of_bytes(of_a);
      block.counts[first + 1] = sum_of_bytes(of_b);
      block.counts[first + 2] = sum_of_bytes(of_c);
      block.counts[first + 3] = sum_of_bytes(of_d);
    }
  }
  HALFSTEP_INLINE static std::int64_t sum_of_bytes(const Bytes& bytes) {
    std::uint64_t words[4];
    std::memcpy(words, &bytes, sizeof words);
    const std::uint64_t four = words[0] + words[1] + words[2] + words[3];  // 128 at most
    constexpr std::uint64_t even = 0x00FF00FF00FF00FFu;
    return static_cast<std::int64_t>(((four & even) + ((four >> 8) & even)) * 0x0001000100010001u >>
                                     48);
  }
};

/// Counts the exponents of numbers, block by block, on one thread.
class ExponentTally {
 public:
  static constexpr Index block = ExponentBlock::size;

  explicit ExponentTally(const ExponentScale& scale) : scale_(scale) {
    const BinaryParts unit(scale.unit);
    constexpr std::uint64_t cut = (std::uint64_t{1} << 29) - 1;
    // Rounded up: a float's fraction that is below the unit's stays below.
    kernel_.least = 0x00800000u + static_cast<std::uint32_t>((unit.fraction + cut) >> 29);
    const double limit = std::min(scale.tiny * scale.unit, numeric_traits<float>::max);
    kernel_.tiny = static_cast<float>(limit);
    if (static_cast<double>(kernel_.tiny) > limit)
      kernel_.tiny = std::nextafter(kernel_.tiny, 0.0f);
    first_exponent_ = -126 - unit.exponent;
  }

  /// @param x  a whole block, of which the last are zeros and not counted
  /// @param n  how many are counted
  template <class T>
  void add(const T* x, Index n) {
    ExponentBlock found;
    run_memory_bound(kernel_, x, found);
    if (!found.regular) {
      for (Index i = 0; i < n; ++i) add(storage_cast<double>(x[i]));
      return;
    }
    std::int64_t zeros = block;
    for (int bin = found.first_bin; bin <= found.last_bin; ++bin) {
      bins_[bin] += found.counts[bin];
      zeros -= found.counts[bin];
    }
    zeros_ += zeros - (block - n);
    tiny_ += found.at_most_tiny - zeros;
    // Zeros after the last number are of no account.
    const Index counted = n == block ? 0 : n;
    if (n == block) widen(found.smallest, found.largest);
    for (Index i = 0; i < counted; ++i) widen(to_float(x[i]), to_float(x[i]));
  }
  /// Counts one number as the definition says.
  void add(double x) {
    if (!others_) others_.emplace();
    others_->add(x, scale_);
  }
  void add_tiny(std::int64_t count) { tiny_ += count; }

  /// Adds all that was counted.
  void add_to(ExponentCounts& counts) const {
    if (others_) counts.add(*others_);
    for (int bin = 0; bin < 255; ++bin)
      if (bins_[bin] != 0) counts.at(first_exponent_ + bin) += bins_[bin];
    counts.zeros += zeros_;
    counts.tiny += tiny_;
    counts.widen(static_cast<double>(smallest_), static_cast<double>(largest_));
  }

 private:
  void widen(float low, float high) {
    smallest_ = std::min(smallest_, low);
    largest_ = std::max(largest_, high);
  }

  ExponentScale scale_;
  ExponentKernel kernel_{};
  int first_exponent_ = 0;  ///< of bin 0
  std::int64_t bins_[255] = {};
  std::int64_t zeros_ = 0;
  std::int64_t tiny_ = 0;
  float smallest_ = std::numeric_limits<float>::infinity();
  float largest_ = -std::numeric_limits<float>::infinity();
  std::optional<ExponentCounts> others_;  ///< what no regular block held
};

/// Adds the counts of n numbers. Counts are integers: the order of the pieces does not matter.
template <class T>
void count_exponents(Index n, const T* x, const ExponentScale& scale, ExponentCounts* into) {
  constexpr Index block = ExponentTally::block;
  std::mutex merging;
  parallel_for(n, 64 * block, [&](Index first, Index last) {
    ExponentTally tally(scale);
    if constexpr (std::is_same_v<T, double>) {
      for (Index i = first; i < last; ++i) tally.add(x[i]);
    } else {
      T padded[block];
      for (Index begin = first; begin < last; begin += block) {
        const Index count = std::min(block, last - begin);
        if (count == block) {
          tally.add(x + begin, block);
        } else {
          std::fill(std::copy_n(x + begin, count, padded), padded + block, T{});
          tally.add(padded, count);
        }
      }
    }
    const std::lock_guard lock(merging);
    tally.add_to(*into);
  });
}

}  // namespace halfstep
