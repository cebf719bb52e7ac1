#include <halfstep/autograd/activation.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/nn/module_list.hpp>
#include <halfstep/nn/sequential.hpp>

#include <gtest/gtest.h>

namespace {

using namespace halfstep;
using Bf16 = halfstep::Setup<MixedBf16, backend::Reference>;

struct Block : nn::Module<Bf16> {
  Block(const nn::ModuleBase<backend::Reference>& parent, std::string_view name)
      : nn::Module<Bf16>(parent, name) {}
  nn::Linear<Bf16> inner{*this, "inner", 3, 3};
  auto operator()(const nn::Input<Bf16>& x) const { return inner(x); }
};

struct Model : nn::Module<Bf16> {
  explicit Model(int blocks = 2) {
    for (int i = 0; i < blocks; ++i) list.emplace();
  }
  nn::Linear<Bf16> first{*this, "first", 2, 3};
  nn::ModuleList<Block> list{*this, "blocks"};
  nn::Linear<Bf16::with<Fp32, keep_output>> logits{*this, "logits", 3, 4};
  auto operator()(const nn::Input<Bf16>& x) const {
    auto value = first(x);
    for (std::size_t i = 0; i < list.size(); ++i) value = list[i](value);
    return logits(value);
  }
};

nn::Input<Bf16> batch(Index rows) {
  Tensor<bfloat16> x({rows, 2});
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = bfloat16(0.25f * static_cast<float>(i));
  return x;
}

TEST(Module, NamesItsParametersByTheirPath) {
  const Model model;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < model.parameters().count(); ++i)
    names.push_back(model.parameters().info(i).name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"first.weight", "first.bias", "logits.weight", "logits.bias",
                                      "blocks.0.inner.weight", "blocks.0.inner.bias",
                                      "blocks.1.inner.weight", "blocks.1.inner.bias"}));
  EXPECT_EQ(model.parameters().size(), 6 + 3 + 2 * (9 + 3) + 12 + 4);
}

TEST(Module, KeepsLayersOfAnotherSetupInTheirOwnType) {
  const Model model;
  auto& store = *model.store();
  EXPECT_EQ(store.segment_of(store.find("first.weight")).storage(), "bfloat16");
  EXPECT_EQ(store.segment_of(store.find("logits.weight")).storage(), "float");
  const auto logits = model(batch(5));
  static_assert(std::same_as<decltype(logits), const Variable<float, backend::Reference>>,
                "keep_output leaves the logits in FP32");
  EXPECT_EQ(logits.shape(), (Shape{5, 4}));
}

TEST(Module, RefusesAParameterAfterItsFirstUse) {
  Model model;
  model(batch(1));
  try {
    model.list.emplace();
    FAIL() << "the arenas are laid out";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("'blocks.2.inner.weight'"), std::string::npos)
        << error.what();
  }
}

TEST(Module, RefusesTwoParametersOfOneName) {
  struct Twice : nn::Module<Bf16> {
    nn::Linear<Bf16> a{*this, "same", 2, 2};
    nn::Linear<Bf16> b{*this, "same", 2, 2};
  };
  EXPECT_THROW(Twice{}, UsageError);
}

TEST(Module, StartsFromTheSameValuesUnderTheSameSeed) {
  const auto values = [](std::uint64_t seed) {
    Model model;
    model.initialise(seed);
    return model.store()->read(0);
  };
  EXPECT_EQ(values(7), values(7));
  EXPECT_NE(values(7), values(8));
  Model used;
  used(batch(1));
  used.initialise(7);
  EXPECT_EQ(used.store()->read(0), values(7)) << "also after the first use";
}

TEST(Module, CloneCopiesMastersAndNotOnlyRoundedWeights) {
  Model model(1);
  model.initialise(3);
  const auto copy = clone(model, 1);
  auto& from = *model.store();
  auto& to = *copy->store();
  for (std::size_t i = 0; i < from.count(); ++i) EXPECT_EQ(from.read(i), to.read(i));
  const std::vector<float> exact = to.read(0);
  EXPECT_NE(exact[0], static_cast<float>(bfloat16(exact[0]))) << "a master has more bits";
  EXPECT_THROW(clone(model, 2), UsageError) << "another number of parameters";
}

TEST(Module, WritesItsMasterAndItsRoundedWeight) {
  Model model;
  auto& store = *model.store();
  const std::size_t bias = store.find("first.bias");
  store.write(bias, std::vector<float>{0.1f, 0.2f, 0.3f});
  EXPECT_EQ(store.read(bias), (std::vector<float>{0.1f, 0.2f, 0.3f}));
  store.visit_parameter(Bf16::Storages{}, bias, [](auto& segment, Index offset) {
    EXPECT_EQ(static_cast<float>(segment.values().data()[offset]),
              static_cast<float>(bfloat16(0.1f)));
  });
  EXPECT_THROW(store.write(bias, std::vector<float>{1.0f}), ShapeError);
}

TEST(Module, IsInTrainingModeUntilItIsToldOtherwise) {
  Model model;
  EXPECT_TRUE(model.training());
  {
    const inference scope;
    EXPECT_FALSE(model.training()) << "on this thread, while the scope lives";
  }
  model.evaluate();
  EXPECT_FALSE(model.first.training()) << "layers share their model's mode";
  model.train();
  EXPECT_TRUE(model.first.training());
}

TEST(Sequential, FeedsEachStepWithTheOneBefore) {
  struct Net : nn::Module<Bf16> {
    nn::Sequential<Bf16> net{*this, "net"};
    Net() {
      net.add<nn::Linear<Bf16>>(2, 3).add([](const auto& x) { return relu(x); });
      net.add<nn::Linear<Bf16>>(3, 1);
    }
  };
  const Net net;
  EXPECT_EQ(net.parameters().info(2).name, "net.2.weight");
  EXPECT_EQ(net.net(batch(4)).shape(), (Shape{4, 1}));
  struct Empty : nn::Module<Bf16> {
    nn::Sequential<Bf16> net{*this, "net"};
  };
  EXPECT_THROW(Empty{}.net(batch(1)), UsageError);
}

}  // namespace
