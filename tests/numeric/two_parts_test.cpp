#include <halfstep/core/random.hpp>
#include <halfstep/numeric/dispatch.hpp>
#include <halfstep/numeric/two_parts.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

namespace halfstep {
namespace {

/// Takes values apart, stores the parts, reads them again and puts them together.
template <class Parts, class T>
struct RoundTrip {
  const float* values;
  T* weights;
  typename Parts::Rest* rests;
  float* joined;

  template <class N>
  HALFSTEP_INLINE void operator()(std::ptrdiff_t first, std::ptrdiff_t last) const {
    for (std::ptrdiff_t i = first; i < last; i += lanes<N>) {
      N weight, rest;
      Parts::split(load<N>(values + i), weight, rest);
      store(weight, weights + i);
      store(rest, rests + i);
      store(Parts::join(load<N>(static_cast<const T*>(weights + i)),
                        load<N>(static_cast<const typename Parts::Rest*>(rests + i))),
            joined + i);
    }
  }
};
template <class Parts, class T>
struct Outcome {
  std::vector<T> weights;
  std::vector<typename Parts::Rest> rests;
  std::vector<float> joined;
};
template <class Parts, class T>
Outcome<Parts, T> round_trip(InstructionSet set, const std::vector<float>& values) {
  Outcome<Parts, T> out{std::vector<T>(values.size()),
                        std::vector<typename Parts::Rest>(values.size()),
                        std::vector<float>(values.size())};
  run_on(
      set,
      RoundTrip<Parts, T>{values.data(), out.weights.data(), out.rests.data(), out.joined.data()},
      std::ptrdiff_t{0}, static_cast<std::ptrdiff_t>(values.size()));
  return out;
}
template <class Parts, class T>
Outcome<Parts, T> round_trip_of_scalars(const std::vector<float>& values) {
  Outcome<Parts, T> out{std::vector<T>(values.size()),
                        std::vector<typename Parts::Rest>(values.size()),
                        std::vector<float>(values.size())};
  const RoundTrip<Parts, T> one{values.data(), out.weights.data(), out.rests.data(),
                                out.joined.data()};
  one.template operator()<float>(0, static_cast<std::ptrdiff_t>(values.size()));
  return out;
}
template <class V>
bool same_bits(const std::vector<V>& a, const std::vector<V>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(V)) == 0;
}

/// Floats of every exponent below `below`, of both signs; what lies between two numbers of T, ties
/// and their neighbours included.
template <class T>
std::vector<float> samples(float below) {
  std::vector<float> values;
  RandomStream random(7);
  constexpr std::uint32_t tie = std::same_as<T, bfloat16> ? 0x8000u : 0x1000u;
  while (values.size() < (1u << 18)) {
    std::uint32_t word = random();
    const std::uint32_t kind = random() % 4;
    if (kind < 3) word = ((word & ~(2 * tie - 1)) | tie) + kind - 1;
    const float value = std::bit_cast<float>(word);
    if (std::fabs(value) < below) values.push_back(value);
  }
  for (const float value : {0.0f, -0.0f, 1.0f, -1.0f, 0x1p-14f, 0x1p-24f, 0x1p-25f, -0x1.8p-25f})
    values.push_back(value);
  while (values.size() % 16 != 0) values.push_back(0.5f);
  return values;
}

TEST(TwoParts, EveryFiniteFloatComesBackFromABfloat16AndItsRemainder) {
  using Parts = RemainderParts<bfloat16>;
  const auto values = samples<bfloat16>(std::numeric_limits<float>::infinity());
  for (const InstructionSet set : supported_instruction_sets())
    EXPECT_TRUE(same_bits(round_trip<Parts, bfloat16>(set, values).joined, values)) << name(set);
}

TEST(TwoParts, FloatsFromTheSeventeenthBinaryPlaceOnComeBackFromAFloat16AndItsRemainder) {
  using Parts = RemainderParts<float16>;
  const auto values = samples<float16>(Parts::limit);
  for (const InstructionSet set : supported_instruction_sets()) {
    const auto joined = round_trip<Parts, float16>(set, values).joined;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::fabs(values[i]) >= 0x1p-17f)
        ASSERT_EQ(std::bit_cast<std::uint32_t>(joined[i]), std::bit_cast<std::uint32_t>(values[i]));
      else  // the nearest multiple of 2^-40, or the next one at the end of the units
        ASSERT_LE(std::fabs(joined[i] - values[i]), 0x1p-40f) << values[i];
    }
  }
}

TEST(TwoParts, TheWeightIsTheNearestNumberAndTiesGoAwayFromZero) {
  const auto check = [](auto type) {
    using T = decltype(type);
    const auto values = samples<T>(RemainderParts<T>::limit);
    const auto parts = round_trip_of_scalars<RemainderParts<T>, T>(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const T nearest = storage_cast<T>(values[i]);
      const double distance = std::fabs(to_float(nearest) - static_cast<double>(values[i]));
      const double ours = std::fabs(to_float(parts.weights[i]) - static_cast<double>(values[i]));
      if (!std::isfinite(to_float(nearest))) continue;
      ASSERT_EQ(ours, distance) << values[i];
      if (to_float(parts.weights[i]) != to_float(nearest)) {
        ASSERT_GT(std::fabs(to_float(parts.weights[i])), std::fabs(to_float(nearest)));
      }
    }
  };
  check(bfloat16());
  check(float16());
}

TEST(TwoParts, PacketsAndScalarsGiveTheSameBits) {
  const auto check = [](auto type, auto parts) {
    using T = decltype(type);
    using Parts = decltype(parts);
    const auto values = samples<T>(RemainderParts<T>::limit);
    const auto scalar = round_trip_of_scalars<Parts, T>(values);
    for (const InstructionSet set : supported_instruction_sets()) {
      const auto packets = round_trip<Parts, T>(set, values);
      EXPECT_TRUE(same_bits(packets.weights, scalar.weights)) << name(set);
      EXPECT_TRUE(same_bits(packets.rests, scalar.rests)) << name(set);
      EXPECT_TRUE(same_bits(packets.joined, scalar.joined)) << name(set);
    }
  };
  check(bfloat16(), RemainderParts<bfloat16>());
  check(float16(), RemainderParts<float16>());
  check(bfloat16(), CompensatedParts<bfloat16>());
  check(float16(), CompensatedParts<float16>());
}

TEST(TwoParts, AFloat16SaysWhatHasNoPlaceAndKeepsTheLargestThatHas) {
  using Parts = RemainderParts<float16>;
  const auto split = [](float value) {
    float weight = 0.0f, rest = 0.0f;
    const bool beyond = Parts::split(value, weight, rest);
    return std::pair(beyond, Parts::join(weight, rest));
  };
  EXPECT_EQ(split(65519.0f), std::pair(false, 65519.0f));
  EXPECT_EQ(split(Parts::limit), std::pair(false, Parts::limit));
  EXPECT_EQ(split(65520.0f), std::pair(true, Parts::limit));
  EXPECT_EQ(split(-1e30f), std::pair(true, -Parts::limit));
  EXPECT_TRUE(split(std::numeric_limits<float>::quiet_NaN()).first);
}

TEST(TwoParts, ACompensationKeepsAsManyDigitsAgain) {
  const auto check = [](auto type) {
    using T = decltype(type);
    using Parts = CompensatedParts<T>;
    const double u = numeric_traits<T>::unit_roundoff;
    for (const float value : samples<T>(RemainderParts<T>::limit)) {
      float weight = 0.0f, rest = 0.0f;
      Parts::split(value, weight, rest);
      if (!std::isfinite(weight)) continue;
      ASSERT_EQ(weight, to_float(storage_cast<T>(value)));
      // What rounding took is at most u |value| (or half the smallest spacing), and is rounded by
      // u.
      const double taken = std::max(u * std::fabs(value), 0.5 * numeric_traits<T>::min_subnormal);
      const double bound = std::max(u * taken, 0.5 * numeric_traits<T>::min_subnormal);
      ASSERT_LE(std::fabs(static_cast<double>(weight) + rest - static_cast<double>(value)), bound);
    }
  };
  check(bfloat16());
  check(float16());
}

}  // namespace
}  // namespace halfstep
