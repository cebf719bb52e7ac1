#include <halfstep/numeric/convert.hpp>

#include "conversion_cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

// All 2^32 floats through every conversion of every instruction set: about a minute on two cores,
// so it carries the label exhaustive and is not in the default run.

namespace hs = halfstep;

namespace {

/// first[p] is the lowest float, as a word, that rounds to the positive pattern p: the midpoint
/// below p where p is even, the float after it where p is odd.
template <class T>
std::vector<std::uint32_t> first_words() {
  const int infinity_pattern = std::is_same_v<T, hs::float16> ? 0x7C00 : 0x7F80;
  const auto value = [&](int p) {
    if (p < infinity_pattern) return value_of_fields<T>(static_cast<std::uint16_t>(p));
    return 2 * value_of_fields<T>(static_cast<std::uint16_t>(p - 1)) -
           value_of_fields<T>(static_cast<std::uint16_t>(p - 2));
  };
  std::vector<std::uint32_t> first = {0u};
  for (int p = 1; p <= infinity_pattern; ++p) {
    const auto middle = static_cast<float>((value(p - 1) + value(p)) / 2);
    first.push_back(word_of(middle) + static_cast<std::uint32_t>(p & 1));
  }
  first.push_back(0x7F800001u);
  return first;
}

template <class T>
std::uint16_t quiet_nan(std::uint32_t word) {
  if (std::is_same_v<T, hs::float16>) {
    return static_cast<std::uint16_t>(((word >> 16) & 0x8000u) | 0x7E00u | ((word >> 13) & 0x3FFu));
  }
  return static_cast<std::uint16_t>((word >> 16) | 0x40u);
}

/// The number of floats in [begin, end) that some conversion gets wrong; no sign change inside.
template <class T>
std::uint64_t count_errors(std::uint64_t begin, std::uint64_t end,
                           const std::vector<std::uint32_t>& first) {
  constexpr std::uint64_t chunk = 1u << 15;
  std::vector<float> x(chunk);
  std::vector<T> expected(chunk), got(chunk);
  std::uint64_t errors = 0;
  for (std::uint64_t start = begin; start < end; start += chunk) {
    const auto magnitude = static_cast<std::uint32_t>(start) & 0x7FFFFFFFu;
    const auto sign = static_cast<std::uint16_t>((start >> 31) << 15);
    auto pattern = static_cast<std::size_t>(
        std::upper_bound(first.begin(), first.end(), magnitude) - first.begin() - 1);
    for (std::uint32_t i = 0; i < chunk; ++i) {
      x[i] = float_of(static_cast<std::uint32_t>(start) + i);
      while (pattern + 1 < first.size() && magnitude + i >= first[pattern + 1]) ++pattern;
      const bool nan = pattern + 1 == first.size();
      expected[i] = T::from_bits(nan ? quiet_nan<T>(word_of(x[i]))
                                     : static_cast<std::uint16_t>(pattern | sign));
    }
    const auto compare = [&] {
      for (std::uint32_t i = 0; i < chunk; ++i) errors += got[i].bits != expected[i].bits ? 1u : 0u;
    };
    for (std::uint32_t i = 0; i < chunk; ++i) got[i] = T(x[i]);
    compare();
    for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
      hs::run_on(set, hs::ConvertKernel<float, T>{}, static_cast<const float*>(x.data()),
                 got.data(), x.size());
      compare();
    }
  }
  return errors;
}

template <class T>
std::uint64_t count_errors_over_all_floats() {
  const std::vector<std::uint32_t> first = first_words<T>();
  constexpr std::uint64_t part = std::uint64_t{1} << 26;
  std::atomic<std::uint64_t> next{0}, errors{0};
  const auto work = [&] {
    for (std::uint64_t p = next++; p < 64; p = next++) {
      errors += count_errors<T>(p * part, (p + 1) * part, first);
    }
  };
  std::vector<std::thread> threads;
  const unsigned count = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned t = 0; t < count; ++t) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return errors;
}

}  // namespace

TEST(Exhaustive, EveryFloatRoundsToFloat16AsTheDefinitionSays) {
  EXPECT_EQ(count_errors_over_all_floats<hs::float16>(), 0u);
}
TEST(Exhaustive, EveryFloatRoundsToBfloat16AsTheDefinitionSays) {
  EXPECT_EQ(count_errors_over_all_floats<hs::bfloat16>(), 0u);
}
