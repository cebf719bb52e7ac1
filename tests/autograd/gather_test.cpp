#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/gather.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::integers;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(Gather, Gradients) {
  const auto table = sample<double>({5, 3}, 1);
  const auto indices = integers({4, 0, 4, 4, 2, 1}, {2, 3});
  expect_gradients([&](const Exact& t) { return hs::gather(t, indices); }, table);
  expect_gradients(
      [&](const Exact& t) { return hs::gather(t, indices) * 2.0 + hs::embedding(t, indices); },
      table);
  EXPECT_EQ(hs::gather(Exact(table), indices).shape(), (Shape{2, 3, 3}));
}

TEST(Gather, RowsTakenOftenSumInTheComputeType) {
  using V = hs::Variable<hs::bfloat16, hs::backend::Reference>;
  const V table = V::leaf(values<hs::bfloat16>({1}, {1, 1}));
  hs::Tensor<std::int32_t> zeros({1000});
  for (auto& i : zeros.span()) i = 0;
  propagate_ones(hs::gather(table, zeros));
  // Sums in bfloat16 would stall at 256; 1000 itself has 8 digits at a spacing of 4.
  EXPECT_EQ(to_doubles(table.gradient())[0], 1000.0);
}

TEST(Embedding, ThePaddingEntryGetsNoGradient) {
  const Exact table = Exact::leaf(sample<double>({3, 2}, 2));
  propagate_ones(hs::embedding(table, integers({0, 1, 1, 2}), 1));
  EXPECT_EQ(to_doubles(table.gradient()), (std::vector<double>{1, 1, 0, 0, 1, 1}));
}

TEST(Gather, RefusesIndicesThatNameNoRow) {
  const Exact table = sample<double>({3, 2}, 1);
  EXPECT_THROW(hs::gather(table, integers({3})), hs::DataError);
  EXPECT_THROW(hs::gather(table, integers({-1})), hs::DataError);
  EXPECT_THROW(hs::embedding(table, integers({0}), 3), hs::DataError);
  EXPECT_THROW(hs::gather(table, hs::Tensor<std::int32_t>(Shape{0})), hs::ShapeError);
}

}  // namespace
