#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/linear.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

TEST(Linear, Gradients) {
  const auto x = sample<double>({2, 3, 4}, 1);
  const auto weight = sample<double>({5, 4}, 2);
  const auto bias = sample<double>({5}, 3);
  expect_gradients(
      [](const Exact& v, const Exact& w, const Exact& b) { return hs::linear(v, w, b); }, x, weight,
      bias);
  expect_gradients([](const Exact& v, const Exact& w) { return hs::linear(v, w); }, x, weight);
  expect_gradients([](const Exact& v, const Exact& w,
                      const Exact& b) { return hs::linear(v, w, b, hs::Activation::relu); },
                   x, weight, bias);
}

TEST(Linear, AFusedReluIsRelu) {
  const auto x = sample<double>({6, 4}, 4);
  const Exact weights[2] = {Exact::leaf(sample<double>({5, 4}, 5)),
                            Exact::leaf(sample<double>({5, 4}, 5))};
  const Exact bias = sample<double>({5}, 6);
  const Exact fused = hs::linear(Exact(x), weights[0], bias, hs::Activation::relu);
  const Exact apart = hs::relu(hs::linear(Exact(x), weights[1], bias));
  EXPECT_EQ(to_doubles(fused.value()), to_doubles(apart.value()));
  propagate_ones(fused);
  propagate_ones(apart);
  EXPECT_EQ(to_doubles(weights[0].gradient()), to_doubles(weights[1].gradient()));
}

TEST(Linear, ASecondUseOfAWeightAddsToItsGradient) {
  expect_gradients([](const Exact& v, const Exact& w,
                      const Exact& b) { return hs::linear(hs::linear(v, w, b), w, b); },
                   sample<double>({3, 4}, 7), sample<double>({4, 4}, 8), sample<double>({4}, 9));
}

TEST(Linear, RefusesWhatDoesNotFit) {
  const Exact x = sample<double>({2, 3}, 1);
  try {
    hs::linear(x, Exact(sample<double>({5, 4}, 2)));
    FAIL() << "no error";
  } catch (const hs::ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "linear: x [2, 3] double does not fit the weight [5, 4] double; the weight is "
                 "[out, in] and the last extent of x must be in");
  }
  const Exact weight = sample<double>({5, 3}, 2);
  EXPECT_THROW(hs::linear(x, weight, Exact(sample<double>({3}, 3))), hs::ShapeError);
  EXPECT_THROW(hs::linear(Exact(hs::Tensor<double>(Shape{0, 3})), weight), hs::ShapeError);
}

}  // namespace
