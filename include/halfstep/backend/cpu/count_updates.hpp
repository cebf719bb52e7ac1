#pragma once

#include <halfstep/backend/cpu/count_exponents.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend::cpu {

/// What half an ulp is in a storage type: 2^(e - digits) of a number with exponent e, which is at
/// least that of the smallest normal one.
struct StoredPrecision {
  int digits;
  double min_normal;

  template <Storage T>
  static constexpr StoredPrecision of() {
    return {numeric_traits<T>::digits, numeric_traits<T>::min_normal};
  }
};

inline namespace HALFSTEP_ISA {

/// after - before of whole packets, and how many of these updates are not 0 and below half an ulp
/// of `before` as it is stored.
struct UpdateKernel {
  std::uint32_t rounding;      ///< takes the bits of what rounds up to a power of two there
  std::uint32_t min_exponent;  ///< the bits of the smallest normal number of the type
  float ulps;                  ///< 2^digits

  explicit UpdateKernel(const StoredPrecision& precision)
      : rounding(precision.digits < 24 ? 1u << (23 - precision.digits) : 0u),
        min_exponent(bits_of(static_cast<float>(precision.min_normal))),
        ulps(static_cast<float>(1u << precision.digits)) {}

  template <class N>
  HALFSTEP_INLINE void operator()(const float* before, const float* after, float* update, Index n,
                                  std::int64_t& below) const {
    Bits<N> count = Bits<N>(0u);
    for (Index i = 0; i < n; i += lanes<N>) {
      const N old = load<N>(before + i);
      const N change = load<N>(after + i) - old;
      const Bits<N> exponent = ((bits_of(old) & 0x7FFFFFFFu) + rounding) & 0x7F800000u;
      const N power =
          from_bits<N>(select(exponent < min_exponent, Bits<N>(min_exponent), exponent));
      // Where the weight is inf or NaN so is the change, and nothing is lost.
      const Mask<N> lost = (abs(change) * N(ulps) < power) & (change != 0.0f);
      count = count + select(lost, Bits<N>(1u), 0u);
      store(change, update + i);
    }
    for (int lane = 0; lane < lanes<N>; ++lane) below += word_of_lane(count, lane);
  }
};

/// Counts the updates after[i] - before[i], rounded to FP32, on one thread; as tiny those that are
/// not 0 and below half an ulp of before[i] as it is stored: added to a weight of that type, they
/// would leave it as it was.
inline void count_updates(Index n, const float* before, const float* after,
                          const StoredPrecision& stored, ExponentTally& tally) {
  constexpr Index block = ExponentTally::block;
  const UpdateKernel kernel(stored);
  alignas(64) float update[block];
  float old[block];
  float changed[block];
  for (Index begin = 0; begin < n; begin += block) {
    const Index count = std::min(block, n - begin);
    const float* from = before + begin;
    const float* to = after + begin;
    if (count < block) {
      std::fill(std::copy_n(from, count, old), old + block, 0.0f);
      std::fill(std::copy_n(to, count, changed), changed + block, 0.0f);
      from = old;
      to = changed;
    }
    std::int64_t below = 0;
    run_memory_bound(kernel, from, to, static_cast<float*>(update), block, below);
    tally.add(update, count);
    tally.add_tiny(below);
  }
}

}  // namespace HALFSTEP_ISA
}  // namespace halfstep
