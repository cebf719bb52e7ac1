#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/conv1d.hpp>
#include <halfstep/nn/conv2d.hpp>
#include <halfstep/nn/conv_transpose2d.hpp>
#include <halfstep/nn/flatten.hpp>
#include <halfstep/nn/pooling.hpp>
#include <halfstep/nn/sequential.hpp>

#include <gtest/gtest.h>

#include <cmath>

#include "support/samples.hpp"

namespace {

using namespace halfstep;
using test::sample;
using B = backend::Reference;
using Float = halfstep::Setup<Fp32, B>;
using Half = halfstep::Setup<MixedFp16, B>;

template <class S>
struct Holder : nn::Module<S> {};

TEST(Conv2d, IsConv2dOfItsParameters) {
  Holder<Float> model;
  const nn::Conv2d<Float> layer(model, "layer", 4, 6, {3, 2},
                                {.stride = {2, 1}, .padding = 1, .groups = 2});
  EXPECT_EQ(layer.weight().shape(), (Shape{6, 2, 3, 2}));
  const auto x = sample<float>({2, 4, 5, 5}, 1);
  const auto bias = Tensor<float>::from(model.store()->read(1), Shape{6});
  const auto y = layer(Variable<float, B>(x));
  const auto expected = conv2d(Variable<float, B>(x), layer.weight(), Variable<float, B>(bias),
                               {.stride = {2, 1}, .padding = 1, .groups = 2});
  EXPECT_EQ(y.shape(), (Shape{2, 6, 3, 6}));
  EXPECT_EQ(test::to_doubles(y.value()), test::to_doubles(expected.value()));
}

TEST(Conv2d, MayGoWithoutABiasAndComputeInItsOwnPrecision) {
  Holder<Half> model;
  const nn::Conv2d<Half::with<Fp32>> layer(model, "layer", 1, 2, 3, {.bias = false});
  EXPECT_EQ(model.parameters().count(), 1u);
  const Variable<float16, B> y = layer(Variable<float16, B>(sample<float16>({1, 1, 3, 3}, 1)));
  EXPECT_EQ(y.shape(), (Shape{1, 2, 1, 1}));
}

// PyTorch's initialisation: uniform in +-1/sqrt(fan in); the transposed one counts its own second
// axis.
TEST(Conv2d, AndItsKinStartWithinOneOverTheRootOfTheirInputs) {
  Holder<Float> model;
  const nn::Conv2d<Float> images(model, "images", 8, 30, 5, {.groups = 2});
  const nn::Conv1d<Float> sequences(model, "sequences", 20, 30, 5);
  const nn::ConvTranspose2d<Float> back(model, "back", 30, 4, 5);
  for (std::size_t i = 0; i < model.store()->count(); ++i) {
    const std::vector<float> values = model.store()->read(i);
    double largest = 0.0;
    for (const float value : values) largest = std::max(largest, std::fabs(double(value)));
    EXPECT_LE(largest, 0.1) << model.store()->info(i).name;
    // Of few numbers the largest may be small.
    EXPECT_GE(largest, values.size() > 100 ? 0.09 : 0.0) << model.store()->info(i).name;
  }
  EXPECT_EQ(sequences.weight().shape(), (Shape{30, 20, 5}));
  EXPECT_EQ(back.weight().shape(), (Shape{30, 4, 5, 5}));
}

TEST(Conv2d, RefusesWhatCannotBeByTheLayersName) {
  Holder<Float> model;
  try {
    nn::Conv2d<Float>(model, "stem", 3, 4, 3, {.groups = 2});
    FAIL() << "no error";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "Conv2d 'stem': 3 channels and 4 filters are not divisible by 2 groups; choose a "
                 "number of groups that divides both");
  }
  EXPECT_THROW(nn::Conv1d<Float>(model, "empty", 3, 4, 0), ShapeError);
  const nn::Conv2d<Float> layer(model, "large", 1, 1, 5);
  try {
    layer(Variable<float, B>(sample<float>({1, 1, 4, 4}, 1)));
    FAIL() << "no error";
  } catch (const ShapeError& error) {
    EXPECT_EQ(std::string(error.what()).substr(0, 15), "large: conv2d: ");
  }
}

TEST(Flatten, TakesImagesThroughASequenceOfLayers) {
  struct Net : nn::Module<Half> {
    nn::Sequential<Half> layers{*this, "layers"};
  } model;
  model.layers.add<nn::Conv2d<Half>>(1, 4, 3)
      .add(nn::MaxPool2d{2})
      .add<nn::ConvTranspose2d<Half>>(4, 3, Extent2d(2), nn::ConvTranspose2dLayerSettings{})
      .add(nn::AvgPool2d{2})
      .add(nn::Flatten{});
  const auto x = Variable<float16, B>(sample<float16>({2, 1, 10, 10}, 1));
  EXPECT_EQ(model.layers(x).shape(), (Shape{2, 12}));
  EXPECT_EQ(nn::GlobalAvgPool2d{}(x).shape(), (Shape{2, 1}));
}

}  // namespace
