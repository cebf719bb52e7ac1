// Parts of a model with rules, optimizers and skips of their own.
#include "support/flat_model.hpp"

#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/undecayed.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

using Mixed = Setup<MixedBf16, backend::Reference>;
constexpr double infinity = std::numeric_limits<double>::infinity();

FlatModel<Mixed> three() {
  FlatModel<Mixed> model;
  model.add<bfloat16>("in.weight", {1.0}).add<bfloat16>("in.bias", {1.0});
  model.add<bfloat16>("out.weight", {1.0});
  return model;
}
const optim::MasterWeights sgd{optim::SGD{.learning_rate = 1.0}};

TEST(Groups, AreChosenByNameAndHaveARuleOfTheirOwn) {
  auto model = three();
  auto parameters = model.parameters();
  EXPECT_EQ(parameters.assign(1, "*.bias"), 1u);
  EXPECT_EQ(parameters.assign(2, "out.*"), 1u);
  Optimizer optimizer(parameters, sgd);
  optimizer.set_rule(1, {.learning_rate = 0.5});
  optimizer.set_rule(2, {.learning_rate = 0.25});
  optimizer.step(model.gradients({-1.0}));
  EXPECT_EQ(model.masters("in.weight")[0], 2.0);
  EXPECT_EQ(model.masters("in.bias")[0], 1.5);
  EXPECT_EQ(model.masters("out.weight")[0], 1.25);
}

TEST(Groups, KeepWhatTheParametersHeld) {
  auto model = three();
  const float value = 1.0f + 0x1p-12f;
  model.store().write(2, std::span<const float>(&value, 1));
  model.parameters().assign(1, "out.*");
  EXPECT_EQ(model.store().read(2)[0], value);
  EXPECT_EQ(model.store().read(0)[0], 1.0f);
}

TEST(Groups, AFrozenParameterTakesNoGradientAndNeverMoves) {
  auto model = three();
  model.parameters().freeze("in.*");
  EXPECT_FALSE(model.store().variable<bfloat16>(0).wants_gradient());
  EXPECT_TRUE(model.store().variable<bfloat16>(2).wants_gradient());
  Optimizer optimizer(model.parameters(), sgd);
  optimizer.step(model.gradients({-1.0}));
  EXPECT_EQ(model.weights("in.weight")[0], 1.0);
  EXPECT_EQ(model.weights("out.weight")[0], 2.0);
  EXPECT_EQ(optimizer.memory().parameters, 32) << "nothing is kept for frozen ones";
}

TEST(Groups, AreRefusedWhereNoNameMatchesAndOnceAnOptimizerHasTheModel) {
  auto model = three();
  EXPECT_THROW(model.parameters().assign(1, "middle.*"), UsageError);
  EXPECT_THROW(model.parameters().assign(64, "in.*"), UsageError);
  EXPECT_THROW(model.parameters().assign(-1, "in.*"), UsageError);
  const Optimizer optimizer(model.parameters(), sgd);
  EXPECT_THROW(model.parameters().assign(1, "in.*"), UsageError);
  EXPECT_THROW(model.parameters().freeze("in.*"), UsageError);
}

TEST(Groups, VectorsAreSparedFromDecayByOneCall) {
  FlatModel<Mixed> model;
  model.add_shaped<bfloat16>("weight", {1, 2}, {1.0, 1.0}).add<bfloat16>("bias", {1.0, 1.0});
  const optim::AdamW rule{.learning_rate = 0.5, .weight_decay = 0.5};
  optim::separate_vectors(model.parameters());
  Optimizer optimizer(model.parameters(), optim::MasterWeights{rule});
  optimizer.set_rule(optim::undecayed_group, optim::without_decay(rule));
  optimizer.step(model.gradients({0.0}));
  EXPECT_EQ(model.masters("weight")[0], 0.75);
  EXPECT_EQ(model.masters("bias")[0], 1.0);
}

TEST(Groups, TwoOptimizersShareAModelAndEachSkipsAlone) {
  auto model = three();
  model.parameters().assign(1, "out.*");
  const auto inner = model.parameters().only({0});
  const auto outer = model.parameters().without({0});
  Optimizer of_inner(inner, sgd);
  Optimizer of_outer(outer, optim::MasterWeights{optim::AdamW{
                                .learning_rate = 0.5, .epsilon = 0.0, .weight_decay = 0.0}});
  {
    auto [a, b] = model.gradients({-1.0}).split(inner, outer);
    EXPECT_EQ(a.norm(), std::sqrt(2.0)) << "of its own part";
    EXPECT_EQ(b.norm(), 1.0);
    EXPECT_TRUE(of_inner.step(std::move(a)).applied());
    EXPECT_TRUE(of_outer.step(std::move(b)).applied());
  }
  EXPECT_EQ(model.masters("in.weight")[0], 2.0);
  EXPECT_EQ(model.masters("out.weight")[0], 1.5);

  auto gradients = model.gradients({-1.0});
  const std::size_t out = model.store().find("out.weight");
  model.store().visit_parameter(AllStorages{}, out, [](auto& segment, Index offset) {
    using T = typename std::remove_reference_t<decltype(segment)>::Storage;
    segment.gradients().data()[offset] = storage_cast<T>(infinity);
  });
  auto [a, b] = std::move(gradients).split(inner, outer);
  EXPECT_TRUE(of_inner.step(std::move(a)).applied());
  EXPECT_FALSE(of_outer.step(std::move(b)).applied());
  EXPECT_EQ(of_inner.applied_steps(), 2);
  EXPECT_EQ(of_outer.applied_steps(), 1);
  EXPECT_EQ(of_outer.attempted_steps(), 2);
  EXPECT_EQ(model.masters("in.weight")[0], 3.0);
  EXPECT_EQ(model.masters("out.weight")[0], 1.5);
}

TEST(Groups, ATokenIsDividedOnceAndForItsOwnModel) {
  auto model = three();
  auto other = three();
  model.parameters().assign(1, "out.*");
  const auto inner = model.parameters().only({0});
  EXPECT_THROW(model.gradients({1.0}).split(inner, model.parameters()), UsageError);
  EXPECT_THROW(model.gradients({1.0}).split(inner, other.parameters()), UsageError);
  Optimizer whole(model.parameters(), sgd);
  auto [part] = model.gradients({1.0}).split(inner);
  EXPECT_THROW(static_cast<void>(part.read("out.weight")), UsageError);
  EXPECT_THROW(whole.step(std::move(part)), UsageError) << "an optimizer of more than the part";
}

}  // namespace
}  // namespace halfstep::test
