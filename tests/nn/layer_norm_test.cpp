#include <halfstep/autograd/backward.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/setup.hpp>
#include <halfstep/nn/either.hpp>
#include <halfstep/nn/group_norm.hpp>
#include <halfstep/nn/layer_norm.hpp>
#include <halfstep/nn/rms_norm.hpp>

#include <gtest/gtest.h>

#include "support/samples.hpp"

namespace {

using namespace halfstep;
using B = backend::Reference;
using Float = halfstep::Setup<Fp32, B>;
using Half = halfstep::Setup<MixedFp16, B>;
using Brain = halfstep::Setup<MixedBf16, B>;

template <class S>
struct Holder : nn::Module<S> {};

TEST(LayerNorm, StoresItsParametersInFp32WhateverThePolicy) {
  Holder<Half> model;
  nn::LayerNorm<Half> layer(model, "norm", 4);
  nn::RMSNorm<Half> rms(model, "rms", {2, 4});
  nn::GroupNorm<Half> group(model, "group", 2, 4);
  ASSERT_EQ(model.parameters().count(), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(model.store()->info(i).storage, "float");
  EXPECT_EQ(model.store()->read(model.store()->find("norm.weight")), std::vector<float>(4, 1.0f));
  EXPECT_EQ(model.store()->read(model.store()->find("norm.bias")), std::vector<float>(4, 0.0f));
  EXPECT_EQ(model.store()->read(model.store()->find("rms.weight")), std::vector<float>(8, 1.0f));
  const auto y = layer(Variable<float16, B>(test::sample<float16>({2, 3, 4}, 1)));
  static_assert(std::same_as<decltype(y), const Variable<float16, B>>);
  EXPECT_EQ(y.shape(), (Shape{2, 3, 4}));
}

TEST(LayerNorm, MayGoWithoutParameters) {
  Holder<Float> model;
  nn::LayerNorm<Float> plain(model, "plain", 4, {.affine = false});
  nn::LayerNorm<Float> no_bias(model, "no_bias", 4, {.bias = false});
  nn::RMSNorm<Float> rms(model, "rms", 4, {.affine = false});
  nn::GroupNorm<Float> group(model, "group", 2, 4, {.affine = false});
  EXPECT_EQ(model.parameters().count(), 1u);
  const Variable<float, B> x(test::sample<float>({2, 4}, 1));
  const auto with = no_bias(x), without = plain(x);
  for (Index i = 0; i < x.size(); ++i) EXPECT_EQ(with.value().data()[i], without.value().data()[i]);
}

TEST(LayerNorm, OfA16BitModelGivesItsParametersFp32Gradients) {
  Holder<Brain> model;
  nn::LayerNorm<Brain> layer(model, "norm", 4);
  // 300 rows of ones: a bfloat16 sum stalls at 256.
  const auto y = layer(Variable<bfloat16, B>(test::sample<bfloat16>({300, 4}, 1)));
  auto gradients = backward(sum(y), model.parameters());
  EXPECT_EQ(gradients.read("norm.bias"), std::vector<float>(4, 300.0f));
}

TEST(LayerNorm, OfAnotherPrecisionCastsAtItsEdges) {
  Holder<Half> model;
  nn::LayerNorm<Half::with<Fp32>> inside(model, "inside", 4);
  nn::GroupNorm<Half::with<Fp32, keep_output>> last(model, "last", 2, 4);
  const auto y = inside(Variable<float16, B>(test::sample<float16>({2, 4}, 1)));
  static_assert(std::same_as<decltype(y), const Variable<float16, B>>);
  static_assert(std::same_as<decltype(last(y)), Variable<float, B>>);
}

TEST(LayerNorm, IsOneOfTwoInAnEither) {
  Holder<Half> model;
  nn::Either<nn::LayerNorm<Half>, nn::LayerNorm<Half::with<Fp32>>> either(model, "norm", Index{4});
  model.choose(Alternative::second, "norm");
  EXPECT_EQ(either(Variable<float16, B>(test::sample<float16>({2, 4}, 1))).shape(), (Shape{2, 4}));
}

template <class F>
std::string shape_error(const F& f) {
  try {
    f();
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "no ShapeError";
}

TEST(NormalizationLayer, NamesItselfShapesAndRemedy) {
  Holder<Float> model;
  nn::Module<Float> block(model, "block");
  nn::LayerNorm<Float> layer(block, "norm", 4);
  nn::GroupNorm<Float> group(block, "group", 2, 4);
  const std::string divides = shape_error([&] { nn::GroupNorm<Float>(block, "odd", 2, 5); });
  for (const char* part : {"GroupNorm 'block.odd'", "5 channels", "2 groups", "divide"})
    EXPECT_NE(divides.find(part), std::string::npos) << divides;
  EXPECT_NE(shape_error([&] { nn::LayerNorm<Float>(block, "none", 0); }), "no ShapeError");
  EXPECT_NE(shape_error([&] { nn::RMSNorm<Float>(block, "none", Shape{}); }), "no ShapeError");
  const Variable<float, B> x(test::sample<float>({2, 5}, 1));
  const std::string wrong_width = shape_error([&] { layer(x); });
  for (const char* part : {"block.norm", "[2, 5] float", "[4]", "last extents"})
    EXPECT_NE(wrong_width.find(part), std::string::npos) << wrong_width;
  const std::string wrong_channels = shape_error([&] { group(x); });
  for (const char* part : {"block.group", "[2, 5] float", "[samples, 4, ...]"})
    EXPECT_NE(wrong_channels.find(part), std::string::npos) << wrong_channels;
}

}  // namespace
