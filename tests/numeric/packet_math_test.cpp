#include <halfstep/numeric/packet_math.hpp>

#include "conversion_cases.hpp"

#include <halfstep/numeric/dispatch.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace hs = halfstep;

namespace {

template <class Formula>
struct Unary {
  template <class N>
  HALFSTEP_INLINE void operator()(const float* x, float* y, std::size_t n) const {
    for (std::size_t i = 0; i < n; i += static_cast<std::size_t>(hs::lanes<N>)) {
      hs::store_partial(Formula{}(hs::load_partial<N>(x + i, n - i)), y + i, n - i);
    }
  }
};

/// The distance in units of the last place of a float near `exact`; huge where the kind differs.
double ulps(float got, double exact) {
  constexpr double wrong = 1e9;
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : wrong;
  const float nearest = static_cast<float>(exact);
  if (std::signbit(got) != std::signbit(nearest)) return wrong;
  if (std::isinf(exact)) return std::isinf(got) ? 0 : wrong;
  const double unit = std::ldexp(1.0, std::max(std::ilogb(exact == 0 ? 1e-300 : exact), -126) - 23);
  if (std::isinf(got)) return std::abs(exact) > 0x1.FFFFFCp127 ? 1 : wrong;
  return std::abs(static_cast<double>(got) - exact) / unit;
}

/// A thousandth of all floats, spread evenly over the patterns, and the values that break
/// functions.
std::vector<float> sample() {
  std::vector<float> values = {0.0f,       -0.0f,      1.0f,     -1.0f,    88.72283f,
                               88.72284f,  -87.33654f, -103.97f, -103.98f, 0.625f,
                               0.6249999f, 0.9296875f, 4.0f,     1e-45f,   -1e-45f};
  for (const std::uint32_t word :
       {0x7F800000u, 0xFF800000u, 0x7FC00000u, 0x7F7FFFFFu, 0xFF7FFFFFu}) {
    values.push_back(float_of(word));
  }
  for (std::uint64_t word = 0; word < (std::uint64_t{1} << 32); word += 1021 * 4) {
    values.push_back(float_of(static_cast<std::uint32_t>(word)));
  }
  for (int i = -100000; i < 100000; ++i) values.push_back(static_cast<float>(i) * 1.1e-4f);
  return values;
}

template <class Formula, class Exact>
void expect_within(double bound, Formula, Exact exact) {
  const std::vector<float> x = sample();
  std::vector<float> y(x.size());
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    hs::run_on(set, Unary<Formula>{}, x.data(), y.data(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double want = exact(static_cast<double>(x[i]));
      ASSERT_LE(ulps(y[i], want), bound)
          << name(set) << " at " << std::hexfloat << x[i] << " gave " << y[i] << ", exact " << want;
    }
  }
}

#define HALFSTEP_TEST_FUNCTION(name, function)       \
  struct name {                                      \
    template <class N>                               \
    HALFSTEP_INLINE N operator()(const N& x) const { \
      return hs::function(x);                        \
    }                                                \
  }
HALFSTEP_TEST_FUNCTION(Exp, exp);
HALFSTEP_TEST_FUNCTION(Log, log);
HALFSTEP_TEST_FUNCTION(Log1p, log1p);
HALFSTEP_TEST_FUNCTION(Tanh, tanh);
HALFSTEP_TEST_FUNCTION(Erf, erf);
HALFSTEP_TEST_FUNCTION(Sigmoid, sigmoid);
#undef HALFSTEP_TEST_FUNCTION

struct Power {
  template <class N>
  HALFSTEP_INLINE void operator()(const float* x, const float* y, float* z, std::size_t n) const {
    for (std::size_t i = 0; i < n; i += static_cast<std::size_t>(hs::lanes<N>)) {
      const N base = hs::load_partial<N>(x + i, n - i);
      hs::store_partial(hs::pow(base, hs::load_partial<N>(y + i, n - i)), z + i, n - i);
    }
  }
};

}  // namespace

// The bounds are those that the functions document.
TEST(PacketMath, ExpIsWithinItsBound) {
  expect_within(2.0, Exp{}, [](double x) { return std::exp(x); });
}
TEST(PacketMath, LogIsWithinItsBound) {
  expect_within(2.0, Log{}, [](double x) { return std::log(x); });
}
TEST(PacketMath, Log1pIsWithinItsBound) {
  expect_within(3.0, Log1p{}, [](double x) { return std::log1p(x); });
}
TEST(PacketMath, TanhIsWithinItsBound) {
  expect_within(2.0, Tanh{}, [](double x) { return std::tanh(x); });
}
TEST(PacketMath, ErfIsWithinItsBound) {
  expect_within(2.0, Erf{}, [](double x) { return std::erf(x); });
}
TEST(PacketMath, SigmoidIsWithinItsBound) {
  expect_within(3.0, Sigmoid{}, [](double x) { return 1.0 / (1.0 + std::exp(-x)); });
}

TEST(PacketMath, PowFollowsTheLibrary) {
  std::vector<float> x, y;
  for (const float a : {0.0f, -0.0f, 1.0f, 2.0f, -2.0f, 0.5f, -1.5f, 1e30f}) {
    for (const float b : {0.0f, 1.0f, 2.0f, -1.0f, 0.5f, 3.0f, -2.5f, 40.0f}) {
      x.push_back(a);
      y.push_back(b);
    }
  }
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    std::vector<float> z(x.size());
    hs::run_on(set, Power{}, static_cast<const float*>(x.data()),
               static_cast<const float*>(y.data()), z.data(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float want = std::pow(x[i], y[i]);
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(z[i])) << x[i] << '^' << y[i];
      } else {
        EXPECT_EQ(z[i], want) << x[i] << '^' << y[i];
      }
    }
  }
}

TEST(PacketMath, ScalarsUseTheLibraryInTheirOwnPrecision) {
  EXPECT_EQ(hs::exp(1.0), std::exp(1.0));
  EXPECT_EQ(hs::tanh(0.3f), std::tanh(0.3f));
  EXPECT_EQ(hs::erf(0.3), std::erf(0.3));
  EXPECT_EQ(hs::sigmoid(0.0), 0.5);
  EXPECT_EQ(hs::sigmoid(-1000.0), 0.0);
}
