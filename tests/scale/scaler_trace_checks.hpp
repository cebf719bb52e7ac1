#pragma once

#include "support/backend_test.hpp"
#include "support/flat_model.hpp"
#include "support/parity_file.hpp"

#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>
#include <halfstep/scale/loss_scaler.hpp>

// What PyTorch's GradScaler does, step for step.
namespace halfstep::test {

/// One setting's trace: the scale before, who skips, the scale and the tracker after, each step.
template <class B>
void expect_trace(const nlohmann::json& one) {
  using Setup = halfstep::Setup<MixedFp16, B>;
  const nlohmann::json& s = one.at("settings");
  expect_only(s, {"init_scale", "growth_factor", "backoff_factor", "growth_interval"});
  // GradScaler has neither floor nor ceiling.
  const DynamicLossScaling settings{.initial_scale = s.at("init_scale"),
                                    .growth_factor = s.at("growth_factor"),
                                    .backoff_factor = s.at("backoff_factor"),
                                    .growth_interval = s.at("growth_interval"),
                                    .floor = numeric_traits<float>::min_normal,
                                    .ceiling = numeric_traits<float>::max};
  const std::size_t count = one.at("optimizers").get<std::size_t>();
  std::vector<FlatModel<Setup>> models(count);
  std::vector<Optimizer<optim::UnsafeNearest<optim::SGD>, Setup>> optimizers;
  for (auto& model : models) {
    model.template add<float16>("w", {1.0});
    optimizers.emplace_back(model.parameters(),
                            optim::UnsafeNearest{optim::SGD{.learning_rate = 0.125}});
  }
  LossScaler scaler(models[0].parameters(), settings);
  for (const nlohmann::json& step : one.at("steps")) {
    ASSERT_EQ(scaler.current_scale(), step.at("scale").get<double>());
    for (std::size_t i = 0; i < count; ++i) {
      const bool bad = step.at("non_finite").at(i);
      const double gradient = bad ? std::numeric_limits<double>::infinity() : 0.0;
      const auto report = scaler.step(
          optimizers[i], models[i].template gradients<Scaled>({gradient}, scaler.current_scale()));
      ASSERT_EQ(report.applied(), step.at("applied").at(i).get<bool>());
      ASSERT_EQ(report.loss_scale(), step.at("scale").get<double>());
    }
    scaler.update();
    ASSERT_EQ(scaler.current_scale(), step.at("next_scale").get<double>());
    ASSERT_EQ(scaler.state().losses[0].trackers.growth_tracker,
              step.at("growth_tracker").get<std::int64_t>());
  }
}

template <class B>
class ParityLossScaler : public BackendTest<B> {};
TYPED_TEST_SUITE_P(ParityLossScaler);

TYPED_TEST_P(ParityLossScaler, EveryTraceOfGradScalerReplaysStepForStep) {
  const nlohmann::json cases = parity_cases("loss_scaler.json");
  ASSERT_FALSE(cases.empty());
  for (const nlohmann::json& one : cases) {
    expect_trace<TypeParam>(one);
    if (testing::Test::HasFatalFailure()) FAIL() << one.at("settings");
  }
}

REGISTER_TYPED_TEST_SUITE_P(ParityLossScaler, EveryTraceOfGradScalerReplaysStepForStep);

}  // namespace halfstep::test
