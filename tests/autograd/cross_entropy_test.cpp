#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/backend/cpu/loops.hpp>
#include <halfstep/backend/grid/host_grid.hpp>
#include <halfstep/backend/test_device.hpp>

#include "support/gradients.hpp"
#include "support/on_device.hpp"

namespace hs = halfstep;
using hs::LossReduction;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::integers;
using hs::test::on_device;
using hs::test::on_host;
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

constexpr hs::Index rows = 64, classes = 301;

/// What backward through cross_entropy(2 x) leaves and takes.
template <class S>
struct Taken {
  std::vector<S> gradient;  ///< of x
  std::size_t bytes;        ///< the most memory that backward took
};

/// @param holding  the caller keeps the logits
template <class S, class B>
Taken<S> backward_of_logits(bool holding) {
  using V = hs::Variable<S, B>;
  using Scalar = typename hs::numeric_traits<S>::compute;
  const V x = V::leaf(on_device<B>(sample<S>({rows, classes}, 1)));
  hs::Tensor<std::int32_t> labels(Shape{rows});
  for (hs::Index i = 0; i < rows; ++i)
    labels.data()[i] = i == 3 ? -100 : static_cast<std::int32_t>(i * 31 % classes);
  V logits = 2.0 * x;
  const auto values = on_host<B>(logits.value());
  const auto loss = hs::cross_entropy(logits, on_device<B>(labels), {.label_smoothing = 0.1});
  if (!holding) logits = V();
  const auto one = on_device<B>(hs::test::values<Scalar>({1}, Shape{}));
  auto& pool = B::DeviceType::pool();
  pool.reset_peak();
  const std::size_t before = pool.use().in_use;
  hs::autograd::propagate(loss, one);
  const std::size_t bytes = pool.use().peak - before;
  if (holding) {
    EXPECT_EQ((on_host<B>(logits.value())), values) << "logits that are held";
  }
  return {on_host<B>(x.gradient()), bytes};
}

template <class S, class B>
void expect_the_gradient_in_the_logits() {
  const Taken<S> apart = backward_of_logits<S, B>(true), in_place = backward_of_logits<S, B>(false);
  EXPECT_EQ(in_place.gradient, apart.gradient);
  constexpr std::size_t logits = rows * classes * sizeof(S);
  EXPECT_GE(apart.bytes, logits);
  EXPECT_LT(in_place.bytes, logits);
}

template <class B>
class InPlace : public testing::Test {};
struct Loops : hs::backend::CpuLoops {};
using Backends =
    testing::Types<hs::backend::Reference, Loops, hs::backend::HostGrid, hs::backend::Delayed>;
TYPED_TEST_SUITE(InPlace, Backends);

TYPED_TEST(InPlace, TheGradientTakesTheMemoryOfLogitsThatNobodyHolds) {
  expect_the_gradient_in_the_logits<float, TypeParam>();
  expect_the_gradient_in_the_logits<double, TypeParam>();
  expect_the_gradient_in_the_logits<hs::float16, TypeParam>();
  expect_the_gradient_in_the_logits<hs::bfloat16, TypeParam>();
}

TEST(CrossEntropy, LeavesLogitsThatAnotherOperationHasSaved) {
  // The square's backward comes after the loss's, and must find the logits as they were.
  expect_gradients(
      [](const Exact& x) {
        Exact logits = 2.0 * x;
        const Exact square = logits * logits;
        const Exact loss = hs::cross_entropy(logits, integers({4, 2}));
        return loss + hs::cross_entropy(square, integers({1, 0}));
      },
      sample<double>({2, 5}, 1));
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
