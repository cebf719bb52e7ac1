#pragma once

#include <halfstep/backend/cpu/threads.hpp>
#include <halfstep/numeric/storage_cast.hpp>

#include <gtest/gtest.h>

#include <algorithm>
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

inline double largest(const std::vector<double>& values) {
  double most = 0.0;
  for (const double value : values) most = std::max(most, std::fabs(value));
  return most;
}

/// |got - exact| <= u |exact| + (1 + u) error, u the roundoff of what holds the result.
template <class T>
void expect_near(const char* what, const std::vector<T>& got, const std::vector<double>& exact,
                 double error) {
  const double u_out = hs::numeric_traits<T>::unit_roundoff;
  ASSERT_EQ(got.size(), exact.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(
        std::fabs(hs::storage_cast<double>(got[i]) - exact[i]),
        u_out * std::fabs(exact[i]) + (1 + u_out) * error + hs::numeric_traits<T>::min_subnormal)
        << what << " " << i << " of " << got.size();
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

/// A backend, and what it works on.
template <class B, class T>
struct Case {
  using Backend = B;
  using Storage = T;
};
template <class B>
using Cases =
    testing::Types<Case<B, float>, Case<B, double>, Case<B, hs::float16>, Case<B, hs::bfloat16>>;

}  // namespace numbers
