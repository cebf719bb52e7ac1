#include <halfstep/numeric/packet_random.hpp>

#include "conversion_cases.hpp"

#include <halfstep/numeric/dispatch.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hs = halfstep;

namespace {

constexpr hs::RandomSource source{0x0123456789ABCDEFu, 0xFEDCBA9876543210u};

/// Bits as they are, through the float store that does not change them.
struct OneByOne {
  template <class N>
  HALFSTEP_INLINE void operator()(std::uint64_t first, float* words, std::size_t n) const {
    for (std::size_t i = 0; i < n; i += static_cast<std::size_t>(hs::lanes<N>)) {
      hs::store(hs::from_bits<N>(hs::random_bits<N>(source, first + i)), words + i);
    }
  }
};

struct ByBlocks {
  template <class N>
  HALFSTEP_INLINE void operator()(std::uint64_t first, float* words, std::size_t n) const {
    for (std::size_t i = 0; i < n; i += 64) {
      for (int column = 0; column < 16; column += hs::lanes<N>) {
        hs::Bits<N> block[4];
        hs::random_block<N>(source, (first + i) / 64, column, block);
        for (int w = 0; w < 4; ++w)
          hs::store(hs::from_bits<N>(block[w]), words + i + 16 * w + column);
      }
    }
  }
};

std::uint32_t expected_word(std::uint64_t i) {
  const hs::Philox philox(source.seed);
  return philox(
      hs::Philox::counter(i / 64 * 16 + i % 16, source.offset))[static_cast<int>(i / 16 % 4)];
}

template <class T>
struct Round {
  template <class N>
  HALFSTEP_INLINE void operator()(const float* x, float* y, std::size_t n,
                                  const hs::RandomSource& random) const {
    for (std::size_t i = 0; i < n; i += static_cast<std::size_t>(hs::lanes<N>)) {
      const N value = hs::load_partial<N>(x + i, n - i);
      hs::store_partial(hs::stochastic_round<T>(value, hs::random_bits<N>(random, i)), y + i,
                        n - i);
    }
  }
};

}  // namespace

TEST(PacketRandom, WordsAreThoseOfTheScalarPhilox) {
  // The second start makes the low word of the counter carry into the high one.
  for (const std::uint64_t first : {std::uint64_t{0}, (std::uint64_t{1} << 34) - 128}) {
    std::vector<float> words(256);
    const auto check = [&](std::string_view where) {
      for (std::size_t i = 0; i < words.size(); ++i) {
        ASSERT_EQ(word_of(words[i]), expected_word(first + i)) << where << ' ' << i;
      }
    };
    for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
      hs::run_on(set, OneByOne{}, first, words.data(), words.size());
      check(name(set));
      words.assign(words.size(), 0.0f);
      hs::run_on(set, ByBlocks{}, first, words.data(), words.size());
      check("blocks");
    }
    OneByOne{}.operator()<float>(first, words.data(), words.size());
    check("scalar");
  }
}

TEST(PacketRandom, UniformIsTheScalarOne) {
  struct Uniform {
    static float of(std::uint32_t word) { return hs::uniform01<float>(word); }
  };
  for (const std::uint32_t word : {0u, 255u, 256u, 0x80000000u, 0xFFFFFFFFu}) {
    EXPECT_EQ(Uniform::of(word), hs::uniform01(word));
  }
  EXPECT_LT(hs::uniform01(0xFFFFFFFFu), 1.0f);
}

template <class T>
class StochasticRound : public testing::Test {};
using StorageTypes = testing::Types<hs::float16, hs::bfloat16>;
TYPED_TEST_SUITE(StochasticRound, StorageTypes);

TYPED_TEST(StochasticRound, GivesANeighbourAndKeepsExactValuesInfAndNan) {
  using T = TypeParam;
  const std::vector<float> x = floats_that_matter<T>();
  std::vector<float> y(x.size()), scalar(x.size());
  Round<T>{}.template operator()<float>(x.data(), scalar.data(), x.size(), source);
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    hs::run_on(set, Round<T>{}, x.data(), y.data(), x.size(), source);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(word_of(y[i]), word_of(scalar[i])) << name(set) << std::hexfloat << ' ' << x[i];
      if (std::isnan(x[i])) {
        ASSERT_TRUE(std::isnan(y[i]));
        continue;
      }
      const double value = static_cast<double>(x[i]), got = static_cast<double>(y[i]);
      ASSERT_EQ(std::signbit(y[i]), std::signbit(x[i])) << std::hexfloat << x[i];
      if (value_of_fields<T>(T(x[i]).bits) == value) {
        ASSERT_EQ(got, value) << std::hexfloat << value;
        continue;
      }
      ASSERT_EQ(value_of_fields<T>(T(y[i]).bits), got) << "not in T: " << std::hexfloat << got;
      // Nearest is one neighbour; what stochastic rounding gives lies less than one spacing away.
      const double spacing = std::ldexp(
          1.0, std::max(std::ilogb(value), std::ilogb(hs::numeric_traits<T>::min_normal)) -
                   hs::numeric_traits<T>::digits + 1);
      if (std::isinf(y[i])) {
        ASSERT_GT(std::abs(value), hs::numeric_traits<T>::max);
      } else {
        ASSERT_LT(std::abs(got - value), spacing) << std::hexfloat << value << " gave " << got;
      }
    }
  }
}

TYPED_TEST(StochasticRound, IsUnbiasedAlsoForSubnormals) {
  using T = TypeParam;
  using traits = hs::numeric_traits<T>;
  constexpr int draws = 1 << 16;
  for (const double start : {1.0, traits::min_normal, 5 * traits::min_subnormal, 0.0}) {
    const double spacing =
        start >= traits::min_normal ? start * 2 * traits::unit_roundoff : traits::min_subnormal;
    for (const double part : {0.125, 0.5, 0.8125}) {
      const std::vector<float> x(draws, static_cast<float>(start + part * spacing));
      std::vector<float> y(draws);
      hs::run(Round<T>{}, x.data(), y.data(), x.size(), source);
      double ups = 0;
      for (const float value : y) ups += (static_cast<double>(value) - start) / spacing;
      // Five standard deviations of a binomial mean.
      const double bound = 5 * std::sqrt(part * (1 - part) / draws);
      EXPECT_NEAR(ups / draws, part, bound) << "start " << start;
    }
  }
}

TEST(StochasticRound, LeavesWideStorageAlone) {
  EXPECT_EQ(hs::stochastic_round<float>(1.2345678f, 77u), 1.2345678f);
  EXPECT_EQ(hs::stochastic_round<double>(1.23456789, 77u), 1.23456789);
}
