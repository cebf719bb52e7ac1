#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/shape_operations.hpp>

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

TEST(ShapeOperations, Reshape) {
  const auto x = sample<double>({2, 3, 4}, 1);
  expect_gradients([](const Exact& v) { return hs::reshape(v, {6, 4}) * 2.0; }, x);
  EXPECT_EQ(hs::reshape(Exact(x), {4, -1}).shape(), (Shape{4, 6}));
  EXPECT_EQ(hs::reshape(Exact(x), {4, -1}).value().data(), x.data());
  EXPECT_THROW(hs::reshape(Exact(x), {5, 5}), hs::ShapeError);
  EXPECT_THROW(hs::reshape(Exact(x), {5, -1}), hs::ShapeError);
  EXPECT_THROW(hs::reshape(Exact(x), {-1, -1}), hs::ShapeError);
}

TEST(ShapeOperations, Transpose) {
  const Exact x = values<double>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(to_doubles(hs::transpose(x).value()), (std::vector<double>{1, 4, 2, 5, 3, 6}));
  const auto cube = sample<double>({2, 3, 4}, 2);
  expect_gradients([](const Exact& v) { return hs::transpose(v); }, cube);
  expect_gradients([](const Exact& v) { return hs::transpose(v, 0, 2); }, cube);
  expect_gradients([](const Exact& v) { return hs::transpose(v, 0, 1) * 3.0; }, cube);
  EXPECT_THROW(hs::transpose(x, 0, 2), hs::ShapeError);
}

TEST(ShapeOperations, Slice) {
  const Exact x = values<double>({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(to_doubles(hs::slice(x, 1, 1, 2).value()), (std::vector<double>{2, 3, 5, 6}));
  const auto cube = sample<double>({3, 4, 2}, 3);
  expect_gradients([](const Exact& v) { return hs::slice(v, 0, 1, 2); }, cube);
  expect_gradients([](const Exact& v) { return hs::slice(v, 1, 0, 2) * hs::slice(v, -2, 1, 2); },
                   cube);
  EXPECT_THROW(hs::slice(x, 1, 2, 2), hs::ShapeError);
  EXPECT_THROW(hs::slice(x, 1, 0, 0), hs::ShapeError);
}

TEST(ShapeOperations, Concatenate) {
  const Exact a = values<double>({1, 2}, {2, 1});
  const Exact b = values<double>({3, 4, 5, 6}, {2, 2});
  EXPECT_EQ(to_doubles(hs::concatenate({a, b}, 1).value()),
            (std::vector<double>{1, 3, 4, 2, 5, 6}));
  expect_gradients(
      [](const Exact& x, const Exact& y) {
        return hs::concatenate({x, y, x}, 1);
      },
      sample<double>({2, 3}, 4), sample<double>({2, 1}, 5));
  expect_gradients(
      [](const Exact& x, const Exact& y) {
        return hs::concatenate({x, y});
      },
      sample<double>({1, 3}, 6), sample<double>({2, 3}, 7));
  EXPECT_THROW(hs::concatenate({a, b}, 0), hs::ShapeError);
}

TEST(ShapeOperations, ConcatenateTakesAnyNumberOfParts) {
  std::vector<Exact> parts;
  std::vector<double> expected;
  for (int i = 0; i < 100; ++i) {
    parts.push_back(Exact::leaf(values<double>({double(i)}, {1})));
    expected.push_back(i);
  }
  const Exact whole = hs::concatenate(std::span<const Exact>(parts));
  EXPECT_EQ(to_doubles(whole.value()), expected);
  hs::autograd::propagate(whole, whole.value());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(to_doubles(parts[std::size_t(i)].gradient())[0], i);
}

TEST(ShapeOperations, GradientsThatShareMemoryDoNotMix) {
  // Both uses of x hand the same tensor on; adding to one must not change the other.
  const Exact x = Exact::leaf(values<double>({1, 2}, {2}));
  const Exact y = hs::reshape(x, {1, 2});
  const Exact z = hs::reshape(y + y, {2}) + x;
  propagate_ones(z);
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{3, 3}));
}

}  // namespace
