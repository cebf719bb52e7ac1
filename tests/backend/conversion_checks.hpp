#pragma once

#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/ops/backend.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "support/backend_test.hpp"
#include "support/on_device.hpp"

// How every backend must convert between storage types: as the host does, bit by bit.
namespace conversion_checks {

namespace hs = halfstep;
using hs::Index;
using hs::test::on_device;
using hs::test::on_host;

template <class Backend>
class Conversion : public hs::test::BackendTest<Backend> {};
TYPED_TEST_SUITE_P(Conversion);

template <class To, class B, class From>
void expect_as_on_the_host(const std::vector<From>& from) {
  const auto there = on_device<B>(from);
  hs::TensorOf<To, B> converted(there.shape());
  B::convert(there.size(), there.data(), converted.data());
  const std::vector<To> found = on_host<B>(converted);
  int wrong = 0;
  for (std::size_t i = 0; i < from.size() && wrong < 10; ++i) {
    const To expected = hs::storage_cast<To>(from[i]);
    if (std::memcmp(&found[i], &expected, sizeof(To)) == 0) continue;
    ++wrong;
    ADD_FAILURE() << "pattern " << i << ": " << hs::storage_cast<double>(found[i])
                  << ", on the host " << hs::storage_cast<double>(expected);
  }
}

template <class B, class S>
void expect_all_patterns_widen() {
  std::vector<S> all;
  for (std::uint32_t pattern = 0; pattern < 0x10000u; ++pattern)
    all.push_back(S::from_bits(static_cast<std::uint16_t>(pattern)));
  expect_as_on_the_host<float, B>(all);
}

TYPED_TEST_P(Conversion, WidensEveryPatternOfSixteenBits) {
  expect_all_patterns_widen<TypeParam, hs::float16>();
  expect_all_patterns_widen<TypeParam, hs::bfloat16>();
}

/// Every upper half of a float, with lower halves that make and break the ties of both types.
TYPED_TEST_P(Conversion, RoundsFloatsToNearestEven) {
  std::vector<float> floats;
  for (std::uint32_t upper = 0; upper < 0x10000u; ++upper)
    for (const std::uint32_t lower :
         {0x0000u, 0x0001u, 0x0FFFu, 0x1000u, 0x1001u, 0x3000u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
      floats.push_back(std::bit_cast<float>((upper << 16) | lower));
  expect_as_on_the_host<hs::float16, TypeParam>(floats);
  expect_as_on_the_host<hs::bfloat16, TypeParam>(floats);
}

REGISTER_TYPED_TEST_SUITE_P(Conversion, WidensEveryPatternOfSixteenBits, RoundsFloatsToNearestEven);

}  // namespace conversion_checks
