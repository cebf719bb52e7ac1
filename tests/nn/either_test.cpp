#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/io/model_file.hpp>
#include <halfstep/nn/either.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/nn/module_list.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/train/trainer.hpp>

#include <gtest/gtest.h>

#include <filesystem>

#include "support/samples.hpp"

namespace {

using namespace halfstep;
using B = backend::Reference;
using Bf16 = halfstep::Setup<MixedBf16, B>;
using Plain = nn::Linear<Bf16>;
using Wide = nn::Linear<Bf16::with<Fp32>>;
using Names = std::vector<std::string>;

/// A network whose last layers are of type Out: a choice, or one of the two.
template <class Out>
struct Network : nn::Module<Bf16> {
  struct Block : nn::Module<Bf16> {
    Block(const Base& parent, std::string_view name) : nn::Module<Bf16>(parent, name) {}
    nn::Linear<Bf16> in{*this, "in", 6, 6};
    Out out{*this, "out", 6, 6};
    auto operator()(const nn::Input<Bf16>& x) const { return x + out(relu(in(x))); }
  };
  Network() { blocks.emplace(), blocks.emplace(); }

  nn::ModuleList<Block> blocks{*this, "blocks"};
  Out head{*this, "head", 6, 3};
  auto operator()(const nn::Input<Bf16>& x) const { return head(blocks[1](blocks[0](x))); }
};
using Chosen = Network<nn::Either<Plain, Wide>>;

Names names(const nn::Module<Bf16>& model) {
  Names list;
  for (std::size_t i = 0; i < model.parameters().count(); ++i)
    list.push_back(model.parameters().info(i).name);
  return list;
}
std::string storage(const nn::Module<Bf16>& model, const char* name) {
  auto& store = *model.store();
  return std::string(store.info(store.find(name)).storage);
}
std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

struct Batch {
  nn::Input<Bf16> x = test::sample<bfloat16>({12, 6}, 1);
  Tensor<std::int32_t> y = test::integers({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
};
template <class Model>
std::vector<double> losses(Model& model, int steps) {
  Trainer trainer(model, optim::AdamW{.learning_rate = 0.01});
  std::vector<double> all;
  for (int i = 0; i < steps; ++i)
    all.push_back(
        trainer
            .step(Batch{}, [](const auto& net,
                              const auto& batch) { return cross_entropy(net(batch.x), batch.y); })
            .loss());
  return all;
}
std::vector<std::vector<float>> weights(const nn::Module<Bf16>& model) {
  std::vector<std::vector<float>> all;
  for (std::size_t i = 0; i < model.store()->count(); ++i) all.push_back(model.store()->read(i));
  return all;
}

TEST(Either, HasItsParametersOnceUnderTheLayersNames) {
  Chosen model;
  EXPECT_EQ(names(model), names(Network<Plain>{}));
  EXPECT_EQ(storage(model, "head.weight"), "bfloat16");
  model.choose(Alternative::second, "head");
  EXPECT_EQ(names(model), names(Network<Wide>{}));
  EXPECT_EQ(storage(model, "head.weight"), "float");
  EXPECT_EQ(storage(model, "blocks.0.out.bias"), "bfloat16");
}

TEST(Either, IsChosenByAPatternOfItsName) {
  Chosen model;
  EXPECT_EQ(model.choose(Alternative::second, "blocks.*.out"), 2u);
  EXPECT_EQ(model.blocks[0].out.chosen(), Alternative::second);
  EXPECT_EQ(model.blocks[1].out.chosen(), Alternative::second);
  EXPECT_EQ(model.head.chosen(), Alternative::first);
  EXPECT_EQ(model.choose(Alternative::first, "blocks.?.out"), 2u) << "a later word counts";
  EXPECT_EQ(model.choose(Alternative::second, "*"), 3u);
  EXPECT_EQ(storage(model, "blocks.1.out.weight"), "float");
  EXPECT_EQ(storage(model, "blocks.1.in.weight"), "bfloat16") << "no Either";
}

TEST(Either, RefusesAPatternThatNamesNone) {
  Chosen model;
  const std::string message = refusal([&] { model.choose(Alternative::second, "blocks.*.in"); });
  EXPECT_NE(message.find("'blocks.*.in'"), std::string::npos) << message;
  EXPECT_NE(message.find("'blocks.0.out', 'blocks.1.out'"), std::string::npos) << message;
  Network<Plain> without;
  EXPECT_NE(refusal([&] { without.choose(Alternative::first, "*"); }).find("has none"),
            std::string::npos);
}

TEST(Either, RefusesAChoiceAfterTheFirstUse) {
  Chosen model;
  model(Batch{}.x);
  const std::string message = refusal([&] { model.choose(Alternative::second, "head"); });
  EXPECT_NE(message.find("'head'"), std::string::npos) << message;
  EXPECT_NE(message.find("before the model is first used"), std::string::npos) << message;
  EXPECT_EQ(model.head.chosen(), Alternative::first);
}

TEST(Either, TrainsAsTheLayerThatWasChosen) {
  Chosen first;
  Network<Plain> plain;
  const auto as_plain = losses(plain, 20);
  EXPECT_EQ(losses(first, 20), as_plain);
  EXPECT_EQ(weights(first), weights(plain));

  Chosen second;
  second.choose(Alternative::second, "*");
  Network<Wide> wide;
  const auto as_wide = losses(wide, 20);
  EXPECT_EQ(losses(second, 20), as_wide);
  EXPECT_EQ(weights(second), weights(wide));

  EXPECT_NE(as_plain, as_wide) << "the two precisions differ";
  EXPECT_LT(as_plain.back(), as_plain.front());
  EXPECT_LT(as_wide.back(), as_wide.front());
}

TEST(Either, KeepsMemoryForTheChosenOneAlone) {
  Chosen model;
  model.choose(Alternative::second, "head");
  model(Batch{}.x);
  Index elements = 0;
  model.store()->for_each_segment([&](auto& segment) { elements += segment.size(); });
  // Each parameter's place is rounded up to a cache line, 32 elements.
  Index expected = 0;
  for (std::size_t i = 0; i < model.parameters().count(); ++i)
    expected += (model.parameters().info(i).shape.size() + 31) / 32 * 32;
  EXPECT_EQ(elements, expected);
}

TEST(Either, ReadsAFileThatTheOtherOneWrote) {
  const std::string path = "either_test.safetensors";
  Chosen narrow;
  losses(narrow, 3);
  io::save(narrow, path);
  Chosen wide;
  wide.choose(Alternative::second, "*");
  io::load(wide, path);
  EXPECT_EQ(weights(wide), weights(narrow)) << "masters are what is saved";

  losses(wide, 3);
  io::save(wide, path);
  io::load(narrow, path);
  EXPECT_EQ(weights(narrow), weights(wide));
  std::filesystem::remove(path);
}

TEST(Either, IsClonedWithItsChoice) {
  Chosen model;
  model.choose(Alternative::second, "head");
  const auto copy = clone(model);
  EXPECT_EQ(copy->head.chosen(), Alternative::second);
  EXPECT_EQ(copy->blocks[0].out.chosen(), Alternative::first);
  EXPECT_EQ(weights(*copy), weights(model));
}

TEST(Either, PassesSettingsToBoth) {
  struct Model : nn::Module<Bf16> {
    nn::Either<Plain, Wide> layer{*this, "layer", 6, 3, nn::LinearSettings{.bias = false}};
  };
  Model model;
  EXPECT_EQ(names(model), Names{"layer.weight"});
  const auto shape = model.layer.visit([](const auto& layer) { return layer.weight().shape(); });
  EXPECT_EQ(shape, (Shape{3, 6}));
}

/// Layers that are not the same layer twice.
template <class S>
struct Transposed : nn::Module<S> {
  typename nn::Module<S>::ParameterType weight;
  Transposed(const nn::ModuleBase<B>& parent, std::string_view name, Index in, Index out)
      : nn::Module<S>(parent, name), weight(*this, "weight", {in, out}, nn::constant(1.0f)) {}
};
template <class S>
struct Gain : nn::Module<S> {
  typename nn::Module<S>::ParameterType gain;
  Gain(const nn::ModuleBase<B>& parent, std::string_view name, Index, Index out)
      : nn::Module<S>(parent, name), gain(*this, "gain", {out}, nn::constant(1.0f)) {}
};
struct WithoutBias : Wide {
  WithoutBias(const nn::ModuleBase<backend::Reference>& parent, std::string_view name, Index in,
              Index out)
      : Wide(parent, name, in, out, {.bias = false}) {}
};
template <class Other>
std::string refused_beside_a_linear() {
  return refusal([] {
    struct Model : nn::Module<Bf16> {
      nn::Either<Plain, Other> layer{*this, "layer", 6, 3};
    };
    const Model built;
  });
}

TEST(Either, RefusesTwoLayersThatAreNotTheSame) {
  const std::string shapes = refused_beside_a_linear<Transposed<Bf16>>();
  EXPECT_NE(shapes.find("'layer.weight' has shape [3, 6]"), std::string::npos) << shapes;
  const std::string unknown = refused_beside_a_linear<Gain<Bf16>>();
  EXPECT_NE(unknown.find("'layer.gain', which its first has not"), std::string::npos) << unknown;
  const std::string fewer = refused_beside_a_linear<WithoutBias>();
  EXPECT_NE(fewer.find("has 2 parameters and its second 1"), std::string::npos) << fewer;
}

TEST(Either, HoldsNoOther) {
  using Inner = nn::Either<Plain, Wide>;
  const std::string message = refusal([] {
    struct Model : nn::Module<Bf16> {
      nn::Either<Inner, Plain> layer{*this, "layer", 6, 3};
    };
    const Model built;
  });
  EXPECT_NE(message.find("is a part of Either 'layer'"), std::string::npos) << message;
}

}  // namespace
