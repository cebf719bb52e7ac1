#include <halfstep/autograd/observer.hpp>

#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/backward.hpp>
#include <halfstep/autograd/custom.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/dropout.hpp>
#include <halfstep/nn/linear.hpp>

#include <gtest/gtest.h>

#include "support/samples.hpp"

namespace hs = halfstep;
using hs::autograd::TensorRole;
using hs::backend::Reference;
using hs::test::sample;

namespace {

using S = hs::Setup<hs::Fp32, Reference>;
using V = hs::Variable<float, Reference>;

/// Writes down what it is shown.
struct Journal : hs::autograd::Observer {
  void result(const hs::autograd::OperationResult& result) override {
    std::string line = result.value.name() + (result.recorded ? " <-" : " <- unrecorded");
    for (const auto& input : result.inputs) line += " " + input.name();
    lines.push_back(line);
    roles.clear();
    for (const auto& input : result.inputs) roles.push_back(input.role());
  }
  void gradients(const hs::autograd::OperationGradients& written) override {
    std::string line(written.operation);
    line += " ->";
    for (const auto& gradient : written.gradients) line += " " + gradient.name();
    lines.push_back(line);
  }
  void backward_ended() override { lines.emplace_back("end"); }

  std::vector<std::string> lines;
  std::vector<TensorRole> roles;
};
using Lines = std::vector<std::string>;

struct Net : hs::nn::Module<S> {
  hs::nn::Linear<S> hidden{*this, "hidden", 4, 3};
  hs::nn::Dropout<S> drop{*this, "drop", 0.5};
  hs::nn::Linear<S> out{*this, "out", 3, 2};
  V operator()(const V& x) const { return hs::relu(out(drop(hs::relu(hidden(x))))); }
};

TEST(Observer, IsShownEveryResultAndGradientByName) {
  Net net;
  Journal journal;
  const hs::ObserverScope scope(journal);
  const V loss = hs::sum(net(sample<float>({5, 4}, 1)));
  const Lines forward{"hidden.linear <- constant hidden.weight hidden.bias",
                      "relu <- hidden.linear",
                      "drop.dropout <- relu",
                      "out.linear <- drop.dropout out.weight out.bias",
                      "relu#2 <- out.linear",
                      "sum <- relu#2"};
  EXPECT_EQ(journal.lines, forward);
  journal.lines.clear();
  static_cast<void>(hs::backward(loss, net.parameters()));
  const Lines backward{"sum -> relu#2",
                       "relu#2 -> out.linear",
                       "out.linear -> drop.dropout out.weight out.bias",
                       "drop.dropout -> relu",
                       "relu -> hidden.linear",
                       "hidden.linear -> hidden.weight hidden.bias",
                       "end"};
  EXPECT_EQ(journal.lines, backward);
  journal.lines.clear();
  static_cast<void>(net(sample<float>({5, 4}, 1)));
  EXPECT_EQ(journal.lines[1], forward[1]) << "the names of a new step begin anew";
}

TEST(Observer, IsShownWhatIsNotRecorded) {
  Journal journal;
  const V x = V::leaf(sample<float>({2, 3}, 1));
  const hs::ObserverScope scope(journal);
  const hs::no_gradient pause;
  const V y = hs::concatenate({hs::exp(x), x < x}, 0);
  EXPECT_EQ(journal.lines, (Lines{"exp <- unrecorded leaf", "< <- unrecorded leaf leaf",
                                  "concatenate <- unrecorded constant constant"}));
}

TEST(Observer, SeesIntoCustomOperations) {
  Journal journal;
  const V x = V::leaf(sample<float>({2, 3}, 1));
  const hs::ObserverScope scope(journal);
  const V y = hs::custom(
      "twice", [](const V& in) { return in + in; },
      [](const V& upstream, const V&) { return upstream * 2.0; }, x);
  hs::backward(hs::sum(y));
  EXPECT_EQ(journal.lines,
            (Lines{"twice.+ <- unrecorded constant constant", "twice <- leaf", "sum <- twice",
                   "sum -> twice", "twice.* <- unrecorded constant", "twice -> leaf", "end"}));
}

TEST(Observer, KnowsAParameterFromALeafAndAConstant) {
  Net net;
  Journal journal;
  const hs::ObserverScope scope(journal);
  const V x = V::leaf(sample<float>({5, 4}, 1));
  static_cast<void>(net.hidden(x));
  EXPECT_EQ(journal.roles,
            (std::vector{TensorRole::leaf, TensorRole::parameter, TensorRole::parameter}));
  static_cast<void>(hs::relu(hs::exp(x)));
  EXPECT_EQ(journal.roles, std::vector{TensorRole::result});
}

TEST(Observer, ScopesNestAndEnd) {
  Journal inner;
  Journal outer;
  const V x = sample<float>({2, 3}, 1);
  {
    const hs::ObserverScope outside(outer);
    {
      const hs::ObserverScope inside(inner);
      const hs::NameScope named("block");
      static_cast<void>(hs::exp(x));
    }
    static_cast<void>(hs::exp(x));
  }
  static_cast<void>(hs::exp(x));
  EXPECT_EQ(inner.lines, Lines{"block.exp <- unrecorded constant"});
  EXPECT_EQ(outer.lines, (Lines{"block.exp <- unrecorded constant", "exp <- unrecorded constant"}));
}

/// Reads every gradient while it is there.
struct Copies : hs::autograd::Observer {
  void gradients(const hs::autograd::OperationGradients& written) override {
    for (const auto& gradient : written.gradients) {
      const auto* const values = static_cast<const float*>(gradient.address());
      last[gradient.name()].assign(values, values + gradient.shape().size());
    }
  }
  std::map<std::string, std::vector<float>> last;
};

TEST(Observer, SeesAGradientGrowUntilItIsComplete) {
  Copies copies;
  const hs::ObserverScope scope(copies);
  const V x = V::leaf(sample<float>({2, 3}, 1));
  const V y = hs::exp(x);
  hs::backward(hs::sum(y * y + y));
  const auto& of_x = x.gradient().span();
  EXPECT_EQ(copies.last.at("leaf"), std::vector<float>(of_x.begin(), of_x.end()));
  for (std::size_t i = 0; i < 6; ++i)
    EXPECT_FLOAT_EQ(copies.last.at("exp")[i], 2.0f * y.value().data()[i] + 1.0f);
}

}  // namespace
