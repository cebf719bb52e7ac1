#include <halfstep/autograd/largest_gradient.hpp>

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/backward.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

namespace hs = halfstep;
using V = hs::Variable<float, hs::backend::Reference>;

namespace {

V leaf(std::vector<float> values) {
  return V::leaf(hs::Tensor<float>::from(values, hs::Shape{static_cast<hs::Index>(values.size())}));
}

TEST(LargestGradient, IsTheLargestOfActivationsAndLeaves) {
  hs::LargestGradient largest;
  const std::vector<float> values{1.0f, -2.0f, 0.5f};
  {
    const hs::ObserverScope scope(largest);
    const V x = leaf(values);
    hs::backward(hs::sum(x * x * -8.0));
    EXPECT_EQ(largest.value(), 32.0) << "8 for x * x, and 8 * 2 * 2 for the leaf";
    hs::backward(hs::sum(leaf(values) * 3.0));
    EXPECT_EQ(largest.value(), 32.0) << "a smaller one changes nothing";
    hs::backward(hs::sum((leaf(values) * 0x1p-10) * 1024.0));
    EXPECT_EQ(largest.value(), 1024.0) << "one of an activation alone counts";
  }
  hs::backward(hs::sum(leaf(values) * 1e6));
  EXPECT_EQ(largest.value(), 1024.0) << "its scope is over";
  EXPECT_TRUE(largest.finite());
}

TEST(LargestGradient, LeavesOutWhatIsNotFinite) {
  hs::LargestGradient largest;
  EXPECT_EQ(largest.value(), 0.0);
  const hs::ObserverScope scope(largest);
  hs::backward(hs::sum(hs::sqrt(leaf({0.0f, 0.25f}))));
  EXPECT_EQ(largest.value(), 1.0);
  EXPECT_FALSE(largest.finite());
}

}  // namespace
