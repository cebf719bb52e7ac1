#include "support/parity_file.hpp"

#include <halfstep/optim/schedules/one_cycle.hpp>
#include <halfstep/optim/schedules/step_decay.hpp>

namespace halfstep::test {
namespace {

using Json = nlohmann::json;

void expect_rates(const optim::Schedule auto& schedule, double base, const Json& one) {
  std::int64_t step = 0;
  for (const double expected : one.at("rates").get<std::vector<double>>())
    EXPECT_NEAR(base * schedule(step++), expected, 1e-12 * base) << one.at("rule") << " " << step;
}

TEST(ParitySchedules, EveryCaseHasPyTorchsRateAtEachStep) {
  const Json cases = parity_cases("schedules.json");
  ASSERT_FALSE(cases.empty());
  for (const Json& one : cases) {
    const std::string name = one.at("rule");
    const Json& s = one.at("settings");
    if (name == "step") {
      expect_only(s, {"step", "gamma"});
      expect_rates(optim::StepDecay{s.at("step"), s.at("gamma")}, 1.0, one);
    } else if (name == "cosine") {
      expect_only(s, {"steps", "floor"});
      expect_rates(optim::Cosine{s.at("steps"), setting(s, "floor", 0.0)}, 1.0, one);
    } else if (name == "one_cycle") {
      expect_only(s, {"max", "steps"});
      expect_rates(optim::OneCycle{.steps = s.at("steps")}, s.at("max"), one);
    } else {
      ADD_FAILURE() << "the schedule " << name << " is not there";
    }
  }
}

}  // namespace
}  // namespace halfstep::test
