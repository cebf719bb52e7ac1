#include <halfstep/numeric/convert.hpp>

#include "conversion_cases.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace hs = halfstep;

template <class T>
std::vector<std::uint32_t> words_of(const std::vector<T>& values) {
  std::vector<std::uint32_t> words(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (sizeof(T) == 2) {
      words[i] = values[i].bits;
    } else {
      words[i] = word_of(values[i]);
    }
  }
  return words;
}

/// Every instruction set, with flush-to-zero off and on, against the scalar conversion, to the bit.
template <class From, class To>
void expect_packets_equal_scalars(const std::vector<From>& in) {
  std::vector<To> expected(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) expected[i] = hs::storage_cast<To>(in[i]);
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    for (const bool flush : {false, true}) {
      std::vector<To> out(in.size());
      {
        const FlushToZero scope(flush);
        hs::run_on(set, hs::ConvertKernel<From, To>{}, in.data(), out.data(), in.size());
      }
      const auto words = words_of(out), expected_words = words_of(expected);
      for (std::size_t i = 0; i < in.size(); ++i) {
        ASSERT_EQ(words[i], expected_words[i])
            << name(set) << ", element " << i << (flush ? ", flushing" : "");
      }
    }
  }
}

template <class T>
std::vector<T> all_patterns() {
  std::vector<T> values;
  for (std::uint32_t p = 0; p < 0x10000u; ++p) {
    values.push_back(T::from_bits(static_cast<std::uint16_t>(p)));
  }
  return values;
}

TEST(Convert, NarrowsToFloat16AsTheScalarDoes) {
  expect_packets_equal_scalars<float, hs::float16>(floats_that_matter<hs::float16>());
}
TEST(Convert, NarrowsToBfloat16AsTheScalarDoes) {
  expect_packets_equal_scalars<float, hs::bfloat16>(floats_that_matter<hs::bfloat16>());
}
TEST(Convert, WidensAllPatternsAsTheScalarDoes) {
  expect_packets_equal_scalars<hs::float16, float>(all_patterns<hs::float16>());
  expect_packets_equal_scalars<hs::bfloat16, float>(all_patterns<hs::bfloat16>());
}
TEST(Convert, CrossesBetweenThe16BitTypesAsTheScalarDoes) {
  expect_packets_equal_scalars<hs::float16, hs::bfloat16>(all_patterns<hs::float16>());
  expect_packets_equal_scalars<hs::bfloat16, hs::float16>(all_patterns<hs::bfloat16>());
}

TEST(Convert, WritesExactlyNElementsForEveryLength) {
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    for (std::size_t n = 0; n <= 40; ++n) {
      // Exact allocations, so that a sanitizer sees a read past the end.
      std::vector<float> in(n);
      for (std::size_t i = 0; i < n; ++i) in[i] = static_cast<float>(i) + 0.25f;
      std::vector<hs::bfloat16> out(n + 1, hs::bfloat16(-1.0f));
      hs::run_on(set, hs::ConvertKernel<float, hs::bfloat16>{}, in.data(), out.data(), n);
      for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(out[i], hs::bfloat16(in[i])) << n << " " << i;
      ASSERT_EQ(out[n], hs::bfloat16(-1.0f)) << name(set) << " wrote past " << n;
    }
  }
}

template <class From, class To>
void expect_pair() {
  std::vector<From> in;
  for (int i = 0; i < 100; ++i) {
    in.push_back(hs::storage_cast<From>(static_cast<float>(i - 50) * 0.37f));
  }
  std::vector<To> out(in.size());
  hs::convert(in.data(), out.data(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    ASSERT_TRUE(out[i] == hs::storage_cast<To>(in[i])) << i;
  }
}
template <class From>
void expect_pairs_from() {
  expect_pair<From, float>();
  expect_pair<From, double>();
  expect_pair<From, hs::float16>();
  expect_pair<From, hs::bfloat16>();
}
TEST(Convert, ServesEveryPairOfStorageTypes) {
  expect_pairs_from<float>();
  expect_pairs_from<double>();
  expect_pairs_from<hs::float16>();
  expect_pairs_from<hs::bfloat16>();
}
