#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/backward.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/feed_forward.hpp>

#include <gtest/gtest.h>

#include "support/samples.hpp"

namespace {

using namespace halfstep;
using B = backend::Reference;
using Float = halfstep::Setup<Fp32, B>;
using Brain = halfstep::Setup<MixedBf16, B>;

template <class Setup>
struct Whole : nn::Module<Setup> {
  explicit Whole(const nn::FeedForwardSettings& settings = {})
      : layer(*this, "mlp", 8, 32, settings) {}
  auto operator()(const nn::Input<Setup>& x) const { return layer(x); }
  nn::FeedForward<Setup> layer;
};

/// The same, of two layers.
template <class Setup>
struct Parts : nn::Module<Setup> {
  struct Mlp : nn::Module<Setup> {
    explicit Mlp(const nn::ModuleBase<B>& parent) : nn::Module<Setup>(parent, "mlp") {}
    nn::Linear<Setup> in{*this, "in", 8, 32};
    nn::Linear<Setup> out{*this, "out", 32, 8};
  };
  Mlp mlp{*this};
  auto operator()(const nn::Input<Setup>& x) const { return mlp.out(gelu(mlp.in(x), Gelu::tanh)); }
};

/// Every parameter's name, value and gradient, and the result.
template <class Setup, class Model>
auto all_of(Model& model) {
  model.initialise(5);
  const auto x = test::sample<typename Setup::Activation>({2, 3, 8}, 1);
  const auto y = model(x);
  auto gradients = backward(sum(y), model.parameters());
  std::vector<std::pair<std::string, std::vector<float>>> all;
  for (std::size_t i = 0; i < model.store()->count(); ++i) {
    const std::string& name = model.store()->info(i).name;
    all.emplace_back(name, model.store()->read(i));
    all.emplace_back(name, gradients.read(name));
  }
  const auto numbers = test::to_doubles(y.value());
  all.emplace_back("y", std::vector<float>(numbers.begin(), numbers.end()));
  return all;
}

template <class Setup>
void expect_two_layers() {
  Whole<Setup> whole;
  Parts<Setup> parts;
  EXPECT_EQ(all_of<Setup>(whole), all_of<Setup>(parts));
}

TEST(FeedForward, HasTheParametersAndTheNumbersOfTwoLinearLayers) {
  expect_two_layers<Float>();
  expect_two_layers<Brain>();
}

TEST(FeedForward, MayGoWithoutBiases) {
  const Whole<Brain> model(
      {.activation = HiddenActivation::relu, .in = {.bias = false}, .out = {.bias = false}});
  EXPECT_EQ(model.parameters().count(), 2u);
  EXPECT_EQ(model(test::sample<bfloat16>({3, 8}, 1)).shape(), (Shape{3, 8}));
}

TEST(FeedForward, OfAnotherPrecisionCastsAtItsEdges) {
  const Whole<Brain> model;
  const nn::FeedForward<Brain::with<Fp32>> inside(model, "inside", 8, 16);
  const auto y = inside(Variable<bfloat16, B>(test::sample<bfloat16>({3, 8}, 1)));
  static_assert(std::same_as<decltype(y), const Variable<bfloat16, B>>);
}

TEST(FeedForward, NamesTheLayerWhoseInputDoesNotFit) {
  const Whole<Float> model;
  try {
    model(test::sample<float>({3, 7}, 1));
    FAIL() << "7 is not 8";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "feed_forward of 'mlp': x [3, 7] float does not fit the first weight [32, 8] "
                 "float; it is [hidden, in] and the last extent of x must be in");
  }
}

}  // namespace
