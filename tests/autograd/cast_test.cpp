#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::test::Exact;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

using Half = hs::Variable<hs::float16, hs::backend::Reference>;
using Single = hs::Variable<float, hs::backend::Reference>;

TEST(Cast, RoundsOnceAndTakesTheGradientBackInItsOwnType) {
  const Single x = Single::leaf(values<float>({1.0 + 0x1p-12, 70000.0}, {2}));
  const Half y = hs::cast<hs::float16>(x);
  EXPECT_EQ(to_doubles(y.value())[0], 1.0);
  EXPECT_TRUE(std::isinf(to_doubles(y.value())[1]));
  propagate_ones(y * 3.0);
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{3, 3}));
}

TEST(Cast, GradientsOfSeveralUsesAdd) {
  const Half x = Half::leaf(values<hs::float16>({1, 2}, {2}));
  propagate_ones(hs::cast<float>(x) + hs::cast<float>(x) * 2.0 + hs::cast<float>(x * 4.0));
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{7, 7}));
}

TEST(Cast, ToTheSameTypeIsTheVariableItself) {
  const Half x = Half::leaf(values<hs::float16>({1, 2}, {2}));
  EXPECT_EQ(hs::cast<hs::float16>(x).slot().get(), x.slot().get());
}

TEST(Detach, IsAConstantOfTheSameValues) {
  const Exact x = Exact::leaf(values<double>({3}, {1}));
  const Exact constant = hs::detach(x);
  EXPECT_FALSE(constant.wants_gradient());
  EXPECT_EQ(constant.value().data(), x.value().data());
  propagate_ones(x * constant);
  EXPECT_EQ(to_doubles(x.gradient())[0], 3.0);
}

TEST(Detach, MakesWhatOutlivedItsStepUsable) {
  const Exact x = Exact::leaf(values<double>({3}, {1}));
  const Exact y = x * x;
  propagate_ones(y);
  EXPECT_EQ(to_doubles((hs::detach(y) + 1.0).value())[0], 10.0);
}

}  // namespace
