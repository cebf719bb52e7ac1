#include <halfstep/autograd/backward.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/setup.hpp>
#include <halfstep/nn/gru.hpp>
#include <halfstep/nn/lstm.hpp>

#include <gtest/gtest.h>

#include "support/samples.hpp"

namespace {

using namespace halfstep;
using B = backend::Reference;
using Float = halfstep::Setup<Fp32, B>;
using Half = halfstep::Setup<MixedFp16, B>;

template <class S>
struct Holder : nn::Module<S> {};

std::vector<std::string> names(const Holder<Float>& model) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < model.store()->count(); ++i)
    all.push_back(model.store()->info(i).name);
  return all;
}
/// A parameter as a constant.
Variable<float, B> parameter(const Holder<Float>& model, std::string_view name) {
  auto& store = *model.store();
  const std::size_t index = store.find(name);
  return Tensor<float>::from(store.read(index), store.info(index).shape);
}

TEST(Lstm, NamesItsParametersAsPyTorchDoes) {
  Holder<Float> model;
  nn::LSTM<Float> layer(model, "rnn", 3, 5, {.layers = 2, .bidirectional = true});
  nn::GRU<Float> plain(model, "gru", 3, 5, {.bias = false});
  std::vector<std::string> expected;
  for (const char* end : {"_l0", "_l0_reverse", "_l1", "_l1_reverse"})
    for (const char* part : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"})
      expected.push_back("rnn." + std::string(part) + end);
  expected.insert(expected.end(), {"gru.weight_ih_l0", "gru.weight_hh_l0"});
  EXPECT_EQ(names(model), expected);
  EXPECT_EQ(model.store()->info(0).shape, (Shape{20, 3}));
  EXPECT_EQ(model.store()->info(8).shape, (Shape{20, 10})) << "both directions of the layer below";
  EXPECT_EQ(model.store()->info(16).shape, (Shape{15, 3}));
}

TEST(Lstm, OfBothDirectionsAndTwoLayersIsMadeOfItsDirections) {
  Holder<Float> model;
  nn::LSTM<Float> layer(model, "rnn", 3, 4, {.layers = 2, .bidirectional = true});
  const auto lengths = test::integers({3, 5});
  const Variable<float, B> x(test::sample<float>({2, 5, 3}, 1));
  Variable<float, B> y = x;
  for (const std::string level : {"_l0", "_l1"}) {
    const auto direction = [&](bool reverse) {
      const std::string end = level + (reverse ? "_reverse" : "");
      return lstm(y, parameter(model, "rnn.weight_ih" + end),
                  parameter(model, "rnn.weight_hh" + end), parameter(model, "rnn.bias_ih" + end),
                  parameter(model, "rnn.bias_hh" + end), {.reverse = reverse, .lengths = lengths});
    };
    y = concatenate({direction(false), direction(true)}, -1);
  }
  const auto got = layer(x, lengths);
  EXPECT_EQ(got.shape(), (Shape{2, 5, 8}));
  EXPECT_EQ(test::to_doubles(got.value()), test::to_doubles(y.value()));
}

TEST(Lstm, DropsOutputsOfAllLayersButTheLastInTraining) {
  Holder<Float> model;
  nn::GRU<Float> dropping(model, "rnn", 3, 4, {.layers = 2, .dropout = 0.5});
  const Variable<float, B> x(test::sample<float>({2, 5, 3}, 1));
  const auto first = test::to_doubles(dropping(x).value());
  EXPECT_NE(test::to_doubles(dropping(x).value()), first) << "another mask";
  for (const double value : first) EXPECT_NE(value, 0.0) << "the last layer drops nothing";
  model.evaluate();
  EXPECT_EQ(test::to_doubles(dropping(x).value()), test::to_doubles(dropping(x).value()));
}

TEST(Lstm, StoresIn16BitsAndCastsAtItsEdges) {
  Holder<Half> model;
  nn::LSTM<Half> layer(model, "rnn", 3, 4);
  nn::GRU<Half::with<Fp32>> wide(model, "wide", 4, 4);
  EXPECT_EQ(model.store()->info(0).storage, "float16");
  const auto y = wide(layer(Variable<float16, B>(test::sample<float16>({2, 5, 3}, 1))));
  static_assert(std::same_as<decltype(y), const Variable<float16, B>>);
  EXPECT_EQ(y.shape(), (Shape{2, 5, 4}));
}

template <class Kind, class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const Kind& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Lstm, NamesItselfShapesAndRemedy) {
  Holder<Float> model;
  const auto none = message_of<ShapeError>([&] { nn::GRU<Float>(model, "none", 3, 0); });
  for (const char* part : {"GRU 'none'", "3 inputs", "0 hidden", "at least 1"})
    EXPECT_NE(none.find(part), std::string::npos) << none;
  EXPECT_NE(message_of<ShapeError>([&] { nn::LSTM<Float>(model, "none", 3, 4, {.layers = 0}); }),
            "nothing was thrown");
  nn::LSTM<Float> layer(model, "rnn", 3, 4);
  const Variable<float, B> x(test::sample<float>({2, 5, 4}, 1));
  const auto width = message_of<ShapeError>([&] { layer(x); });
  for (const char* part : {"'rnn'", "[2, 5, 4] float", "[batch, time, 3]"})
    EXPECT_NE(width.find(part), std::string::npos) << width;
  const Variable<float, B> right(test::sample<float>({2, 5, 3}, 1));
  const auto length = message_of<DataError>([&] { layer(right, test::integers({5, 6})); });
  for (const char* part : {"'rnn'", "length 6", "sequence 1", "[1, 5]"})
    EXPECT_NE(length.find(part), std::string::npos) << length;
}

}  // namespace
