#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/reduction.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(Reduction, Gradients) {
  const auto x = sample<double>({2, 3, 4}, 1);
  expect_gradients([](const Exact& v) { return hs::sum(v * v); }, x);
  expect_gradients([](const Exact& v) { return hs::mean(v * v); }, x);
  for (const int axis : {0, 1, -1}) {
    SCOPED_TRACE(axis);
    expect_gradients([&](const Exact& v) { return hs::sum(v * v, axis); }, x);
    expect_gradients([&](const Exact& v) { return v - hs::mean(v, axis, true); }, x);
  }
}

TEST(Reduction, Values) {
  const Exact x = values<double>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(to_doubles(hs::sum(x).value()), (std::vector<double>{21}));
  EXPECT_EQ(hs::sum(x).shape(), Shape{});
  EXPECT_EQ(to_doubles(hs::mean(x).value()), (std::vector<double>{3.5}));
  EXPECT_EQ(to_doubles(hs::sum(x, 0).value()), (std::vector<double>{5, 7, 9}));
  EXPECT_EQ(to_doubles(hs::mean(x, 1).value()), (std::vector<double>{2, 5}));
  EXPECT_EQ(hs::mean(x, 1, true).shape(), (Shape{2, 1}));
  EXPECT_THROW(hs::sum(x, 2), hs::ShapeError);
  EXPECT_THROW(hs::sum(Exact(hs::Tensor<double>(Shape{0}))), hs::ShapeError);
}

TEST(Reduction, A16BitSumIsAFloatThatNeitherStallsNorOverflows) {
  using V = hs::Variable<hs::float16, hs::backend::Reference>;
  hs::Tensor<hs::float16> many({100000});
  for (auto& x : many.span()) x = hs::float16(1.0f);
  const V x = V::leaf(many);
  const auto total = hs::sum(x);
  static_assert(std::is_same_v<decltype(total), const hs::Variable<float, hs::backend::Reference>>);
  EXPECT_EQ(to_doubles(total.value())[0], 100000.0);
  propagate_ones(total);
  EXPECT_EQ(to_doubles(x.gradient())[99999], 1.0);
}

}  // namespace
