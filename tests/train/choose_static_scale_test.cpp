#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/train/choose_static_scale.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace {

using namespace halfstep;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// y = w x. Of the loss k y the gradient of y is k, and that of w is k x.
template <class S>
struct Product : nn::Module<S> {
  nn::Linear<S> layer{*this, "layer", 1, 1, {.bias = false}};
  Product() = default;
  /// Only to have an argument that a copy must be given too.
  explicit Product(int) {}
  auto operator()(const nn::Input<S>& x) const { return layer(x); }
};
struct Batch {
  float x;
  float k;
};
constexpr auto loss = []<class S>(const Product<S>& model, const Batch& batch) {
  using T = typename S::Activation;
  const Tensor<T> x = Tensor<T>::from(std::vector<T>{storage_cast<T>(batch.x)}, {1, 1});
  return sum(cast<float>(model(x))) * batch.k;
};

using F32 = halfstep::Setup<Fp32, backend::Reference>;
const optim::SGD still{.learning_rate = 0.0};

double chosen(const std::vector<Batch>& batches, const StaticScaleSettings& settings = {}) {
  Product<F32> model;
  return choose_static_scale(model, still, batches, loss, settings).scale;
}

TEST(ChooseStaticScale, PutsTheLargestGradientAtAMarginUnder65504) {
  // x = 4: the weight's gradient is the largest. x = 1/4: the activation's is.
  for (const float x : {4.0f, 0.25f})
    for (const float k : {3.0f, 1e-4f, 3e-9f, 5000.0f})
      for (const double margin : {1.5, 2.0, 8.0, 1000.0}) {
        const double scale = chosen({{x, k}}, {.margin = margin});
        const double largest = static_cast<double>(k) * std::max(1.0f, x);
        int exponent = 0;
        EXPECT_EQ(std::frexp(scale, &exponent), 0.5) << "a power of two";
        EXPECT_LE(scale * largest, 65504.0 / margin) << x << " " << k;
        EXPECT_GT(2.0 * scale * largest, 65504.0 / margin) << "and the largest one";
      }
}

TEST(ChooseStaticScale, LooksAtAsManyStepsAsItIsTold) {
  const std::vector<Batch> batches{{1.0f, 1.0f}, {1.0f, 4.0f}, {1.0f, 16.0f}};
  const double one = chosen(batches, {.steps = 1});
  EXPECT_EQ(chosen(batches, {.steps = 2}), one / 4);
  EXPECT_EQ(chosen(batches, {.steps = 3}), one / 16);
  EXPECT_EQ(chosen(batches), one / 16) << "or as many as there are";
}

TEST(ChooseStaticScale, LeavesGradientsThatAreNotFiniteOut) {
  EXPECT_EQ(chosen({{1.0f, nan}, {1.0f, 1.0f}}), chosen({{1.0f, 1.0f}}));
}

TEST(ChooseStaticScale, TrainsACopy) {
  Product<F32> model(0);
  const auto before = model.store()->read(0);
  const std::vector<Batch> batches{{1.0f, 1.0f}, {1.0f, 1.0f}};
  // A rule that moves: the gradient of w is 1 in both steps, whatever w is.
  static_cast<void>(
      choose_static_scale(model, optim::SGD{.learning_rate = 1.0}, batches, loss, {}, 0));
  EXPECT_EQ(model.store()->read(0), before);
}

TEST(ChooseStaticScale, KeepsAFloat16RunFromFlushingAndFromOverflowing) {
  // Gradients of 2^-30: float16 alone has nothing below 2^-24.
  struct Policy : MixedFp16 {
    using LossScaling = StaticLossScaling;
  };
  using F16 = halfstep::Setup<Policy, backend::Reference>;
  const std::vector<Batch> batches{{1.0f, 0x1p-30f}};
  Product<F32> model;
  const StaticLossScaling scaling = choose_static_scale(model, still, batches, loss);
  for (const bool scaled : {true, false}) {
    Product<F16> half;
    const float before = half.store()->read(0)[0];
    Trainer trainer(half, optim::SGD{.learning_rate = 0x1p30}, {}, optim::ConstantRate{},
                    scaled ? scaling : StaticLossScaling{.scale = 1.0});
    EXPECT_TRUE(trainer.step(batches[0], loss).applied());
    EXPECT_EQ(half.store()->read(0)[0] - before, scaled ? -1.0f : 0.0f);
  }
}

TEST(ChooseStaticScale, SaysWhyThereIsNone) {
  EXPECT_THROW(chosen({{1.0f, 0.0f}}), UsageError);
  EXPECT_THROW(chosen({{1.0f, nan}}), NonFiniteError);
  EXPECT_THROW(chosen({}), UsageError);
  EXPECT_THROW(chosen({{1.0f, 1.0f}}, {.steps = 0}), UsageError);
  for (const double margin : {1.0, 0.0, -8.0, static_cast<double>(nan), HUGE_VAL})
    EXPECT_THROW(chosen({{1.0f, 1.0f}}, {.margin = margin}), UsageError);
}

TEST(ChooseStaticScale, StaysWithinFloatsRange) {
  EXPECT_EQ(train::scale_for(0x1p-149, true, 8.0).scale, 0x1p127);
  // 65504 / 8 is just under 2^13, and float's largest number just under 2^128.
  EXPECT_EQ(train::scale_for(0x1.fffffep127, true, 8.0).scale, 0x1p-116);
  EXPECT_NO_THROW(scale::validate(train::scale_for(0x1p-149, true, 8.0)));
}

}  // namespace
