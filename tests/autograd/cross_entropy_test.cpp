#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cross_entropy.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::LossReduction;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::integers;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(CrossEntropy, Gradients) {
  const auto logits = sample<double>({2, 2, 5}, 1);
  const auto targets = integers({4, 0, -100, 2}, {2, 2});
  for (const double smoothing : {0.0, 0.1})
    for (const auto reduction : {LossReduction::mean, LossReduction::sum})
      expect_gradients(
          [&](const Exact& x) {
            return 1.5 * hs::cross_entropy(x, targets, {.label_smoothing = smoothing}, reduction) +
                   hs::cross_entropy(x, targets);
          },
          logits);
}

TEST(CrossEntropy, TheMeanIsOverRowsThatCount) {
  const Exact logits = values<double>({0, 0, 7, 3}, {2, 2});
  const Exact loss = hs::cross_entropy(logits, integers({1, 9}), {.ignored_target = 9});
  EXPECT_NEAR(to_doubles(loss.value())[0], std::log(2.0), 4 * 0x1p-53);
}

TEST(CrossEntropy, OnlyIgnoredRowsCostNothing) {
  const Exact logits = Exact::leaf(sample<double>({2, 3}, 2));
  const Exact loss = hs::cross_entropy(logits, integers({-100, -100}));
  EXPECT_EQ(to_doubles(loss.value())[0], 0.0);
  propagate_ones(loss);
  EXPECT_EQ(to_doubles(logits.gradient()), std::vector<double>(6, 0.0));
}

TEST(CrossEntropy, TheLossOf16BitLogitsIsAFloat) {
  using V = hs::Variable<hs::float16, hs::backend::Reference>;
  const auto loss = hs::cross_entropy(V(sample<hs::float16>({2, 3}, 3)), integers({0, 1}));
  static_assert(std::is_same_v<decltype(loss), const hs::Variable<float, hs::backend::Reference>>);
}

TEST(CrossEntropy, RefusesLabelsAndShapesThatDoNotFit) {
  const Exact logits = sample<double>({2, 3}, 1);
  try {
    hs::cross_entropy(logits, integers({0, 3}));
    FAIL() << "no error";
  } catch (const hs::DataError& error) {
    EXPECT_STREQ(error.what(),
                 "cross_entropy: label 3 of row 1 is not one of the 3 classes, 0 to 2; check the "
                 "labels, or give the model more outputs");
  }
  EXPECT_THROW(hs::cross_entropy(logits, integers({0, -1})), hs::DataError);
  EXPECT_THROW(hs::cross_entropy(logits, integers({0, 1, 2})), hs::ShapeError);
  EXPECT_THROW(
      hs::cross_entropy(Exact(hs::Tensor<double>(Shape{0, 3})), hs::Tensor<std::int32_t>(Shape{0})),
      hs::ShapeError);
}

}  // namespace
