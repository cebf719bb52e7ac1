#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/softmax.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(Softmax, Gradients) {
  const auto x = sample<double>({2, 3, 4}, 1);
  for (const int axis : {-1, 0, 1}) {
    SCOPED_TRACE(axis);
    expect_gradients([&](const Exact& v) { return hs::softmax(v, axis); }, x);
    expect_gradients([&](const Exact& v) { return hs::log_softmax(v, axis) * 2.0 + v; }, x);
  }
}

TEST(Softmax, RowsSumToOneAndLargeLogitsStayFinite) {
  const auto y = to_doubles(hs::softmax(Exact(values<double>({1e4, 1e4, 0, 5}, {2, 2}))).value());
  // The logarithm of the sum is rounded at 1e4.
  EXPECT_NEAR(y[0], 0.5, 1e4 * 0x1p-53);
  EXPECT_NEAR(y[1], 0.5, 1e4 * 0x1p-53);
  EXPECT_NEAR(y[2] + y[3], 1.0, 4 * 0x1p-53);
  EXPECT_NEAR(y[3], 1 / (1 + std::exp(-5.0)), 8 * 0x1p-53);
}

}  // namespace
