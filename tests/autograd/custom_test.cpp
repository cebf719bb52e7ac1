#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/custom.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/default.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::values;

namespace {

TEST(Custom, AnOperationOfOneInput) {
  expect_gradients(
      [](const Exact& x) {
        return hs::custom(
            "cube", [](const Exact& v) { return v * v * v; },
            [](const Exact& upstream, const Exact& v) { return upstream * v * v * 3.0; }, x);
      },
      sample<double>({2, 3}, 1));
}

TEST(Custom, ALossOfTwoInputs) {
  expect_gradients(
      [](const Exact& x, const Exact& t) {
        return hs::custom(
            "log-cosh",
            [](const Exact& a, const Exact& b) {
              return hs::mean(hs::softplus(2.0 * (a - b)) - (a - b));
            },
            [](const Exact& upstream, const Exact& a, const Exact& b) {
              const Exact slope = hs::tanh(a - b) * upstream / double(a.size());
              return std::tuple(slope, -slope);
            },
            x, t);
      },
      sample<double>({2, 3}, 2), sample<double>({2, 3}, 3));
}

TEST(Custom, AnEmptyVariableIsNoGradient) {
  const Exact x = Exact::leaf(sample<double>({3}, 4));
  propagate_ones(hs::custom(
      "stop", [](const Exact& v) { return v * 2.0; },
      [](const Exact&, const Exact&) { return Exact(); }, x));
  EXPECT_TRUE(x.gradient().empty());
}

TEST(Custom, NothingInsideIsRecorded) {
  const Exact x = Exact::leaf(sample<double>({3}, 5));
  hs::custom(
      "probe",
      [](const Exact& v) {
        EXPECT_FALSE(v.wants_gradient());
        EXPECT_FALSE(hs::autograd::recording());
        return v * v;
      },
      [](const Exact& g, const Exact&) { return g; }, x);
  EXPECT_TRUE(hs::autograd::recording());
}

TEST(Custom, AGradientOfAnotherShapeIsRefused) {
  const Exact x = Exact::leaf(sample<double>({3}, 6));
  const Exact y = hs::custom(
      "wrong", [](const Exact& v) { return v * 2.0; },
      [](const Exact&, const Exact&) { return Exact(hs::Tensor<double>(Shape{2})); }, x);
  EXPECT_THROW(propagate_ones(y), hs::ShapeError);
}

struct Cube {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& x) const {
    return x * x * x;
  }
};
struct CubeSlope {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& x) const {
    return N(3.0f) * x * x;
  }
};

TEST(Elementwise, GradientsOfOwnFormulas) {
  const auto x = sample<double>({2, 3}, 7);
  expect_gradients([](const Exact& v) { return hs::elementwise(Cube{}, CubeSlope{}, v); }, x);
  expect_gradients(
      [](const Exact& v) {
        return hs::elementwise([](auto n) { return n * n; }, [](auto n) { return n + n; }, v);
      },
      x);
}

struct Mix {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return a * a * b;
  }
};
struct MixSlopes {
  template <class N>
  HALFSTEP_INLINE std::array<N, 2> operator()(const N& a, const N& b) const {
    return {a * b + a * b, a * a};
  }
};

TEST(Elementwise, GradientsOfOwnFormulasOfTwoInputs) {
  expect_gradients(
      [](const Exact& a, const Exact& b) { return hs::elementwise(Mix{}, MixSlopes{}, a, b); },
      sample<double>({2, 3}, 8), sample<double>({3}, 9));
}

TEST(Elementwise, OwnFormulasRunOnPackets) {
  using V = hs::Variable<hs::bfloat16, hs::backend::Default>;
  const V x = V::leaf(values<hs::bfloat16>({1, 2, 3, 4, 5, 6, 7, 8, 9}, {9}));
  const V y = hs::elementwise(Cube{}, CubeSlope{}, x);
  const V z = hs::elementwise([](auto n) { return n * n; }, [](auto n) { return n + n; }, x);
  EXPECT_EQ(hs::test::to_doubles(y.value())[2], 27.0);
  EXPECT_EQ(hs::test::to_doubles(z.value())[8], 81.0);
  propagate_ones(y);
  EXPECT_EQ(hs::test::to_doubles(x.gradient())[1], 12.0);
}

}  // namespace
