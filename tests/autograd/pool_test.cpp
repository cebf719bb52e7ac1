#include <halfstep/autograd/pool.hpp>

#include "support/gradients.hpp"

#include <limits>

namespace hs = halfstep;
using hs::ImageLayout;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(Pool2d, Gradients) {
  const auto x = sample<double>({2, 3, 5, 4}, 1);
  for (const auto layout : {ImageLayout::channels_first, ImageLayout::channels_last}) {
    const hs::Pool2dSettings overlapping{.stride = {2, 1}, .padding = 1, .layout = layout};
    expect_gradients([&](const Exact& v) { return hs::max_pool2d(v, 2, {.layout = layout}); }, x);
    expect_gradients([&](const Exact& v) { return hs::max_pool2d(v, {3, 2}, overlapping); }, x);
    expect_gradients([&](const Exact& v) { return hs::avg_pool2d(v, {3, 2}, overlapping); }, x);
    expect_gradients([&](const Exact& v) { return hs::global_avg_pool2d(v, layout); }, x);
  }
}

TEST(MaxPool2d, GivesTheGradientToTheFirstOfEqualOnes) {
  const Exact x = Exact::leaf(values<double>({7, 7, 7, 7, 1, 2, 3, 2}, {1, 2, 2, 2}));
  const Exact y = hs::max_pool2d(x, 2);
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{7, 3}));
  propagate_ones(y);
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{1, 0, 0, 0, 0, 0, 1, 0}));
}

TEST(MaxPool2d, LetsNanThrough) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Exact y = hs::max_pool2d(Exact(values<double>({nan, 1, 2, 3, 1, nan}, {1, 1, 2, 3})), 2);
  EXPECT_TRUE(std::isnan(y.value().data()[0]));
}

TEST(AvgPool2d, CountsThePaddingsZeros) {
  const Exact y = hs::avg_pool2d(Exact(values<double>({9}, {1, 1, 1, 1})), 3, {.padding = 1});
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{1}));
}

TEST(Pool2d, RefusesWhatDoesNotFit) {
  const Exact x = sample<double>({1, 2, 3, 3}, 1);
  try {
    hs::max_pool2d(x, 4);
    FAIL() << "no error";
  } catch (const hs::ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "max_pool2d: x [1, 2, 3, 3] double by windows of 4 x 4: a window is larger than "
                 "the input padded by 0 x 0; pad more or use a smaller kernel");
  }
  EXPECT_THROW(hs::max_pool2d(x, 2, {.padding = 2}), hs::ShapeError);
  EXPECT_THROW(hs::avg_pool2d(Exact(sample<double>({2, 3, 3}, 1)), 2), hs::ShapeError);
  EXPECT_THROW(hs::global_avg_pool2d(Exact(sample<double>({2, 3, 3}, 1))), hs::ShapeError);
}

}  // namespace
