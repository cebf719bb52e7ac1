#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/loss.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::LossReduction;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(Loss, Gradients) {
  const auto x = sample<double>({3, 4}, 1);
  const auto target = sample<double>({3, 4}, 2, 0.0, 1.0);
  for (const auto reduction : {LossReduction::mean, LossReduction::sum}) {
    expect_gradients([&](const Exact& a, const Exact& b) { return hs::mse_loss(a, b, reduction); },
                     x, target);
    expect_gradients(
        [&](const Exact& a, const Exact& b) { return hs::smooth_l1_loss(a, b, 0.7, reduction); }, x,
        target);
    expect_gradients(
        [&](const Exact& a, const Exact& b) { return hs::bce_with_logits(a, b, reduction); }, x,
        target);
  }
  expect_gradients([](const Exact& a, const Exact& b) { return hs::smooth_l1_loss(a, b, 0.0); }, x,
                   target);
}

TEST(Loss, ALossOfAVariableThatIsUsedElsewhereAddsItsGradient) {
  expect_gradients([](const Exact& a) { return hs::mse_loss(a * a, a) + hs::mse_loss(a, a * 2.0); },
                   sample<double>({5}, 3));
}

TEST(Loss, TargetsOf16BitInputsMayBeFloats) {
  using V = hs::Variable<hs::bfloat16, hs::backend::Reference>;
  const V x = V::leaf(values<hs::bfloat16>({1, 2}, {2}));
  const auto loss = hs::mse_loss(x, values<float>({1.001, 2}, {2}));
  static_assert(std::is_same_v<decltype(loss), const hs::Variable<float, hs::backend::Reference>>);
  // bfloat16 would have rounded 1.001 to 1.
  EXPECT_GT(to_doubles(loss.value())[0], 0.0);
  propagate_ones(loss);
  EXPECT_LT(to_doubles(x.gradient())[0], 0.0);
}

TEST(Loss, LargeLogitsStayFinite) {
  const Exact x = Exact::leaf(values<double>({1e4, -1e4}, {2}));
  const Exact loss = hs::bce_with_logits(x, values<double>({1, 1}, {2}), LossReduction::sum);
  EXPECT_EQ(to_doubles(loss.value())[0], 1e4);
  propagate_ones(loss);
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{0, -1}));
}

TEST(Loss, RefusesWhatDoesNotFit) {
  const Exact x = sample<double>({2, 3}, 1);
  EXPECT_THROW(hs::mse_loss(x, sample<double>({3, 2}, 1)), hs::ShapeError);
  EXPECT_THROW(hs::mse_loss(Exact(hs::Tensor<double>(Shape{0})), hs::Tensor<double>(Shape{0})),
               hs::ShapeError);
}

}  // namespace
