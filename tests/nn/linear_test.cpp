#include <halfstep/autograd/backward.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/dropout.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace halfstep;
using B = backend::Reference;
using Float = halfstep::Setup<Fp32, B>;
using Half = halfstep::Setup<MixedFp16, B>;

template <class S>
struct Holder : nn::Module<S> {};

template <class T>
Variable<T, B> numbers(const Shape& shape, float step = 0.125f) {
  Tensor<T> x(shape);
  for (Index i = 0; i < x.size(); ++i)
    x.data()[i] = storage_cast<T>(step * static_cast<float>(i % 17 - 8));
  return x;
}

TEST(Linear, MultipliesByTheTransposedWeightAndAddsTheBias) {
  Holder<Float> model;
  nn::Linear<Float> layer(model, "layer", 2, 3);
  model.store()->write(0, std::vector<float>{1, 2, 3, 4, 5, 6});  // [out, in]
  model.store()->write(1, std::vector<float>{0.5f, 0, -0.5f});
  const auto y = layer(numbers<float>({1, 2}, 1.0f));  // -8, -7
  EXPECT_EQ(std::vector<float>(y.value().span().begin(), y.value().span().end()),
            (std::vector<float>{-8 - 14 + 0.5f, -24 - 28, -40 - 42 - 0.5f}));
}

TEST(Linear, TakesAnyNumberOfLeadingAxes) {
  Holder<Float> model;
  nn::Linear<Float> layer(model, "layer", 4, 3);
  EXPECT_EQ(layer(numbers<float>({2, 5, 4})).shape(), (Shape{2, 5, 3}));
}

TEST(Linear, MayGoWithoutABias) {
  Holder<Half> model;
  nn::Linear<Half> layer(model, "layer", 4, 3, {.bias = false});
  EXPECT_EQ(model.parameters().count(), 1u);
  EXPECT_EQ(layer(numbers<float16>({2, 4})).shape(), (Shape{2, 3}));
}

TEST(Linear, StartsWithinOneOverTheRootOfItsInputs) {
  Holder<Float> model;
  nn::Linear<Float> layer(model, "layer", 100, 50);
  double square = 0.0;
  for (const float w : model.store()->read(0)) {
    ASSERT_LE(std::fabs(w), 0.1f);
    square += static_cast<double>(w) * static_cast<double>(w);
  }
  // The variance of 5000 uniform numbers in +-0.1 is 0.01 / 3; its own deviation is
  // sqrt(4 / 45) 0.01 / sqrt(5000), and five of them are not exceeded.
  EXPECT_NEAR(square / 5000, 0.01 / 3, 5 * std::sqrt(4.0 / 45.0) * 0.01 / std::sqrt(5000.0));
}

TEST(Linear, NamesTheShapesThatDoNotFit) {
  Holder<Float> model;
  nn::Linear<Float> layer(model, "layer", 4, 3);
  try {
    layer(numbers<float>({2, 5}));
    FAIL() << "5 is not 4";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("[2, 5]"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("[3, 4]"), std::string::npos) << error.what();
  }
  EXPECT_THROW(nn::Linear<Float>(model, "none", 0, 3), ShapeError);
  EXPECT_THROW(layer(numbers<float>({0, 4})), ShapeError) << "a batch of no rows";
}

TEST(Linear, OfAnotherPrecisionCastsAtItsEdges) {
  Holder<Half> model;
  nn::Linear<Half::with<Fp32>> inside(model, "inside", 4, 3);
  nn::Linear<Half::with<Fp32, keep_output>> last(model, "last", 3, 2);
  const auto y = inside(numbers<float16>({2, 4}));
  static_assert(std::same_as<decltype(y), const Variable<float16, B>>);
  const auto z = last(y);
  static_assert(std::same_as<decltype(z), const Variable<float, B>>);
  // Both weights are FP32, and both get a gradient through the casts.
  LossScaler scaler(model);
  auto gradients = backward(scaler.scale(sum(z)));
  gradients.check();
  EXPECT_GT(gradients.state()->norm, 0.0);
  EXPECT_EQ(model.store()->segment_of(0).storage(), "float");
}

/// The cross-entropy of logits 160000 and -160000 from a layer of this Setup in a float16 model.
template <class LayerSetup>
float loss_of_large_logits() {
  Holder<Half> model;
  nn::Linear<LayerSetup> logits(model, "logits", 4, 2, {.bias = false});
  model.store()->write(0, std::vector<float>{200, 200, 200, 200, -200, -200, -200, -200});
  Tensor<float16> x({1, 4});
  for (float16& element : x.span()) element = float16(200.0f);
  const auto y = logits(Variable<float16, B>(x));
  static_assert(std::same_as<typename decltype(y)::Storage, float> == LayerSetup::keeps_output);
  return cross_entropy(y, Tensor<std::int32_t>::from(std::vector<std::int32_t>{1}, Shape{1}))
      .value()
      .data()[0];
}

TEST(Linear, KeepsItsLogitsInFp32WhereAsked) {
  EXPECT_EQ((loss_of_large_logits<Half::with<Fp32, keep_output>>()), 320000.0f);
  // 16-bit products keep their sums in FP32, but their results do not fit into float16.
  EXPECT_FALSE(std::isfinite(loss_of_large_logits<Half>()));
  EXPECT_FALSE(std::isfinite(loss_of_large_logits<Half::with<Fp32>>()));
}

TEST(Linear, CastsFp32ParametersForA16BitProductAsAutocastDoes) {
  struct Autocast : MixedBf16 {
    using Parameter = float;
    using Update = update::Direct;
  };
  using S = halfstep::Setup<Autocast, B>;
  Holder<S> model;
  nn::Linear<S> layer(model, "layer", 4, 3);
  const auto y = layer(numbers<bfloat16>({2, 4}));
  static_assert(std::same_as<decltype(y), const Variable<bfloat16, B>>);
  auto gradients = backward(sum(cast<float>(y)), model.parameters());
  EXPECT_EQ(gradients.read("layer.bias"), (std::vector<float>{2, 2, 2}));
}

TEST(Dropout, HandsItsInputOnInEvaluation) {
  Holder<Float> model;
  nn::Dropout<Float> drop(model, "drop", 0.5);
  const auto x = numbers<float>({64, 8}, 1.0f);
  model.evaluate();
  EXPECT_EQ(drop(x).value().data(), x.value().data());
}

TEST(Dropout, DrawsAnotherMaskForEachCall) {
  Holder<Float> model;
  nn::Dropout<Float> drop(model, "drop", 0.5);
  Tensor<float> ones(Shape{1000});
  for (float& x : ones.span()) x = 1.0f;
  const auto a = drop(Variable<float, B>(ones));
  const auto b = drop(Variable<float, B>(ones));
  int same = 0;
  int kept = 0;
  for (Index i = 0; i < 1000; ++i) {
    same += a.value().data()[i] == b.value().data()[i];
    kept += a.value().data()[i] != 0.0f;
    ASSERT_TRUE(a.value().data()[i] == 0.0f || a.value().data()[i] == 2.0f);
  }
  // Both are binomial, n = 1000, p = 1/2: five deviations are 5 sqrt(250) < 80.
  EXPECT_NEAR(same, 500, 80);
  EXPECT_NEAR(kept, 500, 80);
}

TEST(Dropout, RefusesAProbabilityOutsideItsRange) {
  Holder<Float> model;
  EXPECT_THROW(nn::Dropout<Float>(model, "drop", 1.0), UsageError);
  EXPECT_THROW(nn::Dropout<Float>(model, "drop", -0.1), UsageError);
}

}  // namespace
