#include <halfstep/autograd/arithmetic.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

const auto plus = [](const Exact& a, const Exact& b) { return a + b; };
const auto minus = [](const Exact& a, const Exact& b) { return a - b; };
const auto times = [](const Exact& a, const Exact& b) { return a * b; };
const auto over = [](const Exact& a, const Exact& b) { return a / b; };

TEST(Arithmetic, GradientsOfEqualShapes) {
  const auto a = sample<double>({3, 5}, 1);
  const auto b = sample<double>({3, 5}, 2, 0.5, 2.0);
  expect_gradients(plus, a, b);
  expect_gradients(minus, a, b);
  expect_gradients(times, a, b);
  expect_gradients(over, a, b);
}

TEST(Arithmetic, GradientsOfStretchedShapes) {
  const auto whole = sample<double>({2, 3, 4}, 3, 0.5, 2.0);
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{4}, Shape{3, 1}, Shape{2, 1, 1},
                             Shape{2, 1, 4}, Shape{1, 3, 4}, Shape{1, 3, 1}}) {
    SCOPED_TRACE(testing::Message() << shape);
    const auto part = sample<double>(shape, 4, 0.5, 2.0);
    expect_gradients(plus, whole, part);
    expect_gradients(minus, part, whole);
    expect_gradients(times, part, whole);
    expect_gradients(over, whole, part);
  }
}

TEST(Arithmetic, BothSidesStretch) {
  const auto column = sample<double>({3, 1}, 5);
  const auto row = sample<double>({1, 4}, 6);
  expect_gradients(minus, column, row);
  expect_gradients(times, column, row);
  const Exact y = Exact(values<double>({1, 2}, {2, 1})) + Exact(values<double>({10, 20, 30}, {3}));
  EXPECT_EQ(y.shape(), (Shape{2, 3}));
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{11, 21, 31, 12, 22, 32}));
}

TEST(Arithmetic, GradientsWithNumbers) {
  const auto x = sample<double>({7}, 7, 0.5, 2.0);
  expect_gradients([](const Exact& v) { return 3.0 - (v + 1) * 2; }, x);
  expect_gradients([](const Exact& v) { return 2.0 / v - v / 4 + 0.5; }, x);
  expect_gradients([](const Exact& v) { return -(1.5 * v - 1); }, x);
}

TEST(Arithmetic, AVariableInSeveralPlacesSumsItsGradients) {
  const auto x = sample<double>({4}, 8, 0.5, 2.0);
  const auto y = sample<double>({4}, 9, 0.5, 2.0);
  expect_gradients(
      [](const Exact& a, const Exact& b) {
        const Exact shared = a * b;
        return shared + shared - a / shared + a + a;
      },
      x, y);
}

TEST(Arithmetic, ComparisonsAreOnesAndZeros) {
  const Exact a = values<double>({1, 2, 3}, {3});
  const Exact b = Exact::leaf(values<double>({2, 2, 2}, {3}));
  EXPECT_EQ(to_doubles((a < b).value()), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(to_doubles((a <= b).value()), (std::vector<double>{1, 1, 0}));
  EXPECT_EQ(to_doubles((a > b).value()), (std::vector<double>{0, 0, 1}));
  EXPECT_EQ(to_doubles((a >= b).value()), (std::vector<double>{0, 1, 1}));
  EXPECT_FALSE((a < b).wants_gradient());
}

TEST(Arithmetic, RefusesShapesThatDoNotBroadcast) {
  const Exact a = sample<double>({2, 3}, 1);
  const Exact b = sample<double>({2, 4}, 2);
  try {
    a + b;
    FAIL() << "no error";
  } catch (const hs::ShapeError& error) {
    EXPECT_STREQ(
        error.what(),
        "+: [2, 3] and [2, 4] do not broadcast: counted from the end, axis -1 has 3 and 4; "
        "make them equal, or one of them 1 (reshape)");
  }
  EXPECT_THROW(Exact(hs::Tensor<double>(Shape{0, 3})) + a, hs::ShapeError);
}

TEST(Arithmetic, NoGradientRecordsNothing) {
  const Exact x = Exact::leaf(sample<double>({4}, 1));
  const hs::no_gradient pause;
  EXPECT_FALSE((x * x + x).wants_gradient());
}

TEST(Arithmetic, ConstantsAreNotRecorded) {
  const Exact x = sample<double>({4}, 1);
  EXPECT_FALSE((x * x - 2.0 * x).wants_gradient());
}

TEST(Arithmetic, AVariableOfAStepThatIsOverThrows) {
  const Exact x = Exact::leaf(sample<double>({4}, 1));
  const Exact y = x * x;
  hs::test::propagate_ones(y);
  EXPECT_THROW(y + x, hs::UsageError);
  EXPECT_THROW(hs::test::propagate_ones(y), hs::UsageError);
}

}  // namespace
