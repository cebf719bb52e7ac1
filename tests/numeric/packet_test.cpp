#include <halfstep/numeric/packet.hpp>

#include "conversion_cases.hpp"

#include <halfstep/numeric/dispatch.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace hs = halfstep;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// y[i] = formula(a[i], b[i]) for the lanes of any number.
template <class Formula>
struct Binary {
  template <class N>
  HALFSTEP_INLINE void operator()(const float* a, const float* b, float* y, std::size_t n) const {
    for (std::size_t i = 0; i < n; i += static_cast<std::size_t>(hs::lanes<N>)) {
      const N x = hs::load_partial<N>(a + i, n - i);
      hs::store_partial(Formula{}(x, hs::load_partial<N>(b + i, n - i)), y + i, n - i);
    }
  }
};

/// Pairs of ordinary and special values.
struct Pairs {
  std::vector<float> a, b;
  Pairs() {
    const std::vector<float> values = {
        0.0f,    -0.0f,   1.0f,  -1.0f,  0.5f,         2.5f,          -2.5f,     3.75f,
        -1e-40f, 1e-40f,  1e30f, -7e37f, not_a_number, -not_a_number, infinity,  -infinity,
        1e-20f,  0x1p23f, 1.5f,  -0.5f,  -0x1.8p22f,   0x1.fffp21f,   8388607.5f};
    for (const float x : values) {
      for (const float y : values) {
        a.push_back(x);
        b.push_back(y);
      }
    }
    hs::RandomStream random(3);
    for (int i = 0; i < 1000; ++i) {
      a.push_back(random.normal() * 4.0f);
      b.push_back(random.normal());
    }
  }
};

/// Every instruction set and the scalar give the same; NaNs need not have equal payloads.
template <class Formula, class Expected>
void expect_formula(const char* what, Formula, Expected expected) {
  const Pairs pairs;
  const std::size_t n = pairs.a.size();
  std::vector<float> y(n);
  const auto check = [&](std::string_view where) {
    for (std::size_t i = 0; i < n; ++i) {
      const float want = expected(pairs.a[i], pairs.b[i]);
      if (std::isnan(want)) {
        ASSERT_TRUE(std::isnan(y[i]))
            << what << ' ' << where << " of " << pairs.a[i] << ", " << pairs.b[i];
      } else {
        ASSERT_EQ(word_of(y[i]), word_of(want)) << what << ' ' << where << " of " << pairs.a[i]
                                                << ", " << pairs.b[i] << " gave " << y[i];
      }
    }
  };
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    hs::run_on(set, Binary<Formula>{}, pairs.a.data(), pairs.b.data(), y.data(), n);
    check(name(set));
  }
  Binary<Formula>{}.template operator()<float>(pairs.a.data(), pairs.b.data(), y.data(), n);
  check("scalar");
}

#define HALFSTEP_TEST_FORMULA(name, expression)                  \
  struct name {                                                  \
    template <class N>                                           \
    HALFSTEP_INLINE N operator()(const N& a, const N& b) const { \
      static_cast<void>(b);                                      \
      return expression;                                         \
    }                                                            \
  }
HALFSTEP_TEST_FORMULA(Add, a + b);
HALFSTEP_TEST_FORMULA(Subtract, a - b);
HALFSTEP_TEST_FORMULA(Multiply, a* b);
HALFSTEP_TEST_FORMULA(Divide, a / b);
HALFSTEP_TEST_FORMULA(Negate, -a);
HALFSTEP_TEST_FORMULA(Abs, hs::abs(a));
HALFSTEP_TEST_FORMULA(Sqrt, hs::sqrt(a));
HALFSTEP_TEST_FORMULA(Floor, hs::floor(a));
HALFSTEP_TEST_FORMULA(Round, hs::round_to_int(a));
HALFSTEP_TEST_FORMULA(Less, hs::select(a < b, a, 7.0f));
HALFSTEP_TEST_FORMULA(LessEqual, hs::select(a <= b, a, 7.0f));
HALFSTEP_TEST_FORMULA(Greater, hs::select(a > b, a, 7.0f));
HALFSTEP_TEST_FORMULA(GreaterEqual, hs::select(a >= b, a, 7.0f));
HALFSTEP_TEST_FORMULA(Equal, hs::select(a == b, a, 7.0f));
HALFSTEP_TEST_FORMULA(NotEqual, hs::select(a != b, a, 7.0f));
HALFSTEP_TEST_FORMULA(Min, hs::min(a, b));
HALFSTEP_TEST_FORMULA(Max, hs::max(a, b));
HALFSTEP_TEST_FORMULA(Clamp, hs::clamp(a, -1.5f, 2.0f));
HALFSTEP_TEST_FORMULA(Finite, hs::select(hs::is_finite(a), N(1.0f), N(0.0f)));
HALFSTEP_TEST_FORMULA(MaskLogic, hs::select(((a < b) & (a > 0.0f)) | !(a == a), N(1.0f), 0.0f));
HALFSTEP_TEST_FORMULA(
    Truncate, hs::int_to_float<N>(hs::truncate_to_int(hs::select(hs::abs(a) < 1e6f, a, 0.0f))));
HALFSTEP_TEST_FORMULA(BitLogic,
                      hs::from_bits<N>(((hs::bits_of(a) & 0x7F000000u) | (hs::bits_of(b) >> 9)) ^
                                       (hs::bits_of(b) << 31)));
HALFSTEP_TEST_FORMULA(WordArithmetic,
                      hs::int_to_float<N>((hs::multiply_high(hs::bits_of(a) * 2654435761u,
                                                             hs::bits_of(b)) +
                                           hs::bits_of(b) - 5u) >>
                                          9));
HALFSTEP_TEST_FORMULA(WordCompare,
                      hs::int_to_float<N>(hs::select(hs::bits_of(a) < hs::bits_of(b),
                                                     hs::bits_of(a) & 0xFFu, hs::Bits<N>(3u))));
#undef HALFSTEP_TEST_FORMULA

}  // namespace

TEST(Packet, ArithmeticIsThatOfFloats) {
  expect_formula("add", Add{}, [](float a, float b) { return a + b; });
  expect_formula("subtract", Subtract{}, [](float a, float b) { return a - b; });
  expect_formula("multiply", Multiply{}, [](float a, float b) { return a * b; });
  expect_formula("divide", Divide{}, [](float a, float b) { return a / b; });
  expect_formula("negate", Negate{}, [](float a, float) { return -a; });
}

TEST(Packet, ElementaryFunctionsAreThoseOfTheLibrary) {
  expect_formula("abs", Abs{}, [](float a, float) { return std::fabs(a); });
  expect_formula("sqrt", Sqrt{}, [](float a, float) { return std::sqrt(a); });
  expect_formula("floor", Floor{}, [](float a, float) { return std::floor(a); });
  expect_formula("round", Round{}, [](float a, float) { return std::nearbyint(a); });
  expect_formula("truncate", Truncate{},
                 [](float a, float) { return std::fabs(a) < 1e6f ? std::trunc(a) + 0.0f : 0.0f; });
  expect_formula("finite", Finite{}, [](float a, float) { return std::isfinite(a) ? 1.0f : 0.0f; });
}

TEST(Packet, ComparisonsSelect) {
  expect_formula("<", Less{}, [](float a, float b) { return a < b ? a : 7.0f; });
  expect_formula("<=", LessEqual{}, [](float a, float b) { return a <= b ? a : 7.0f; });
  expect_formula(">", Greater{}, [](float a, float b) { return a > b ? a : 7.0f; });
  expect_formula(">=", GreaterEqual{}, [](float a, float b) { return a >= b ? a : 7.0f; });
  expect_formula("==", Equal{}, [](float a, float b) { return a == b ? a : 7.0f; });
  expect_formula("!=", NotEqual{}, [](float a, float b) { return a != b ? a : 7.0f; });
  expect_formula("logic", MaskLogic{},
                 [](float a, float b) { return (a < b && a > 0.0f) || a != a ? 1.0f : 0.0f; });
}

TEST(Packet, MinAndMaxPropagateNan) {
  const auto either_nan = [](float a, float b) { return std::isnan(a) || std::isnan(b); };
  expect_formula("min", Min{}, [&](float a, float b) {
    return either_nan(a, b) ? not_a_number : b < a ? b : a;
  });
  expect_formula("max", Max{}, [&](float a, float b) {
    return either_nan(a, b) ? not_a_number : b > a ? b : a;
  });
}

TEST(Packet, ClampKeepsNan) {
  expect_formula("clamp", Clamp{}, [](float a, float) {
    return std::isnan(a) ? a : a > 2.0f ? 2.0f : a < -1.5f ? -1.5f : a;
  });
}

TEST(Packet, WordsAreUnsignedIntegers) {
  expect_formula("bits", BitLogic{}, [](float a, float b) {
    return float_of(((word_of(a) & 0x7F000000u) | (word_of(b) >> 9)) ^ (word_of(b) << 31));
  });
  expect_formula("words", WordArithmetic{}, [](float a, float b) {
    const std::uint64_t product = std::uint64_t{word_of(a) * 2654435761u} * word_of(b);
    const std::uint32_t sum = static_cast<std::uint32_t>(product >> 32) + word_of(b) - 5u;
    return static_cast<float>(sum >> 9);
  });
  expect_formula("compare", WordCompare{}, [](float a, float b) {
    return static_cast<float>(word_of(a) < word_of(b) ? word_of(a) & 0xFFu : 3u);
  });
}

namespace {

struct FusedMultiplyAdd {
  template <class N>
  HALFSTEP_INLINE float operator()(float a, float b, float c) const {
    return max(hs::fma(N(a), N(b), N(c)));
  }
};

struct Reductions {
  template <class N>
  HALFSTEP_INLINE void operator()(const float* x, float* y) const {
    const N value = hs::load<N>(x);
    y[0] = sum(value);
    y[1] = max(value);
    y[2] = min(value);
    y[3] = static_cast<float>(hs::lanes<N>);
    y[4] = any(value > 14.0f) ? 1.0f : 0.0f;
    y[5] = all(value > 0.0f) ? 1.0f : 0.0f;
    y[6] = all(hs::is_finite(value)) ? 1.0f : 0.0f;
    hs::store(hs::int_to_float<N>(hs::lane_index<N>()), y + 8);
  }
};

template <class T>
struct Partial {
  template <class N>
  HALFSTEP_INLINE void operator()(const T* x, T* y, float* padded, std::size_t n) const {
    const N value = hs::load_partial<N>(x, n, -3.0f);
    hs::store(value, padded);
    hs::store_partial(value, y, n);
  }
};

}  // namespace

TEST(Packet, FusedMultiplyAddRoundsAtMostOnceMoreThanItMust) {
  // (1 + e)(1 - e) - 1 = -e^2: one rounding keeps it, two give 0.
  const float e = 0x1p-12f;
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    const float result = hs::run_on(set, FusedMultiplyAdd{}, 1.0f + e, 1.0f - e, -1.0f);
    if (set == hs::InstructionSet::baseline) {
      EXPECT_TRUE(result == -e * e || result == 0.0f) << result;
    } else {
      EXPECT_EQ(result, -e * e) << name(set);
    }
  }
}

TEST(Packet, ReducesOverItsLanes) {
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    float x[16], y[24] = {};
    for (int i = 0; i < 16; ++i) x[i] = static_cast<float>((i * 5) % 16 + 1);
    hs::run_on(set, Reductions{}, static_cast<const float*>(x), static_cast<float*>(y));
    const int lanes = static_cast<int>(y[3]);
    float total = 0.0f, largest = x[0], smallest = x[0];
    for (int i = 0; i < lanes; ++i) {
      total += x[i];
      largest = std::max(largest, x[i]);
      smallest = std::min(smallest, x[i]);
      EXPECT_EQ(y[8 + i], static_cast<float>(i));
    }
    EXPECT_EQ(y[0], total) << name(set);
    EXPECT_EQ(y[1], largest) << name(set);
    EXPECT_EQ(y[2], smallest) << name(set);
    EXPECT_EQ(y[4], largest > 14.0f ? 1.0f : 0.0f) << name(set);
    EXPECT_EQ(y[5], 1.0f);
    EXPECT_EQ(y[6], 1.0f);
    x[lanes - 1] = not_a_number;
    hs::run_on(set, Reductions{}, static_cast<const float*>(x), static_cast<float*>(y));
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && std::isnan(y[2])) << name(set);
    EXPECT_EQ(y[5], 0.0f);
    EXPECT_EQ(y[6], 0.0f);
  }
}

template <class T>
void expect_partial_access() {
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    for (std::size_t n = 0; n <= 20; ++n) {
      std::vector<T> x, y(n + 20, hs::storage_cast<T>(9.0f));
      for (std::size_t i = 0; i < n; ++i) x.push_back(hs::storage_cast<T>(static_cast<float>(i)));
      float padded[16];
      hs::run_on(set, Partial<T>{}, static_cast<const T*>(x.data()), y.data(),
                 static_cast<float*>(padded), n);
      const std::size_t lanes = set == hs::InstructionSet::baseline ? 4
                                : set == hs::InstructionSet::avx2   ? 8
                                                                    : 16;
      for (std::size_t i = 0; i < lanes; ++i) {
        EXPECT_EQ(padded[i], i < n ? static_cast<float>(i) : -3.0f);
      }
      for (std::size_t i = 0; i < y.size(); ++i) {
        EXPECT_EQ(hs::to_float(y[i]), i < std::min(n, lanes) ? static_cast<float>(i) : 9.0f);
      }
    }
  }
}
TEST(Packet, PartialAccessPadsAndStaysInside) {
  expect_partial_access<float>();
  expect_partial_access<hs::float16>();
  expect_partial_access<hs::bfloat16>();
}
