#pragma once

#include <halfstep/backend/cpu/threads.hpp>
#include <halfstep/numeric/storage_cast.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

// The numbers that tests of backends work on.
namespace numbers {

namespace hs = halfstep;

template <class T>
std::vector<T> normal_numbers(hs::Index n, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& value : values) value = hs::storage_cast<T>(normal(generator));
  return values;
}

template <class T>
std::vector<double> as_double(const std::vector<T>& values, bool absolute = false) {
  std::vector<double> result;
  for (const T& value : values) {
    const double number = hs::storage_cast<double>(value);
    result.push_back(absolute ? std::fabs(number) : number);
  }
  return result;
}

/// What `run` leaves in its vector has the same bits for one, two and three threads.
template <class Run>
void expect_same_bits_for_any_threads(const Run& run) {
  const int before = hs::threads();
  hs::set_threads(1);
  const auto one = run();
  for (const int count : {2, 3}) {
    hs::set_threads(count);
    const auto other = run();
    ASSERT_EQ(one.size(), other.size());
    EXPECT_EQ(std::memcmp(one.data(), other.data(), one.size() * sizeof(one[0])), 0)
        << count << " threads";
  }
  hs::set_threads(before);
}

/// Every storage type of the CPU backends.
using StorageTypes = testing::Types<float, double, hs::float16, hs::bfloat16>;

}  // namespace numbers
