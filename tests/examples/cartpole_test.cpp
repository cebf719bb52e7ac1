#include <nlohmann/json.hpp>

#include <app/cartpole/cart_pole.hpp>

#include "examples/run_program.hpp"

namespace halfstep::test {
namespace {

using Json = nlohmann::json;

TEST(CartPolePhysics, OnePushIsTheEquationsOf1983) {
  RandomStream random(1);
  app::CartPole cart(random);
  const auto [x, v, angle, spin] = cart.state();
  cart.push(1.0f);
  // In double, from the equations as the paper has them.
  const double force = 10.0, mass = 1.1, pole = 0.1, length = 0.5;
  const double sine = std::sin(double{angle}), cosine = std::cos(double{angle});
  const double spin_change =
      (9.8 * sine + cosine * (-force - pole * length * spin * spin * sine) / mass) /
      (length * (4.0 / 3.0 - pole * cosine * cosine / mass));
  const double speed_change =
      (force + pole * length * (spin * spin * sine - spin_change * cosine)) / mass;
  // A few operations in FP32 on numbers of at most 20.
  const double bound = 20.0 * 8.0 * 0x1p-24;
  EXPECT_NEAR(cart.state()[0], x + 0.02 * v, bound);
  EXPECT_NEAR(cart.state()[1], v + 0.02 * speed_change, bound);
  EXPECT_NEAR(cart.state()[2], angle + 0.02 * spin, bound);
  EXPECT_NEAR(cart.state()[3], spin + 0.02 * spin_change, bound);
  EXPECT_EQ(cart.steps(), 1);
}

TEST(CartPolePhysics, FallsAwayFromASteadyPush) {
  RandomStream random(1);
  app::CartPole cart(random);
  while (!cart.ended()) cart.push(1.0f);
  EXPECT_TRUE(cart.failed());
  EXPECT_LT(cart.state()[2], 0.0f) << "a cart that goes to the right leaves its pole behind";
  EXPECT_LT(cart.steps(), 20);
}

class CartPole : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("cartpole")) GTEST_SKIP() << not_built;
  }
  std::vector<Json> events(const std::string& arguments, const std::string& event) {
    const Ran ran = run("cartpole", arguments + " --json lines.json", folder);
    EXPECT_EQ(ran.code, 0) << ran.error;
    EXPECT_EQ(ran.error, "");
    std::vector<Json> result;
    for (const std::string& line : lines(contents(folder / "lines.json"))) {
      const Json object = Json::parse(line);
      if (object.at("event") == event) result.push_back(object);
    }
    return result;
  }
  Folder folder;
};

TEST_F(CartPole, BalancesInEveryPrecision) {
  const auto results = events("--preset small --precision all,fp16_without_scaling", "result");
  ASSERT_EQ(results.size(), 6u);
  for (const Json& result : results) {
    // Pushes at random last for about 20 steps; 500 are all.
    EXPECT_GT(result.at("mean_episode_length"), 400.0) << result;
    EXPECT_LE(result.at("mean_episode_length"), 500.0);
    for (const char* key : {"steps_per_second", "median_step_ms", "activation_bytes"})
      EXPECT_GT(result.at(key), 0.0) << key;
    EXPECT_EQ(result.size(), 14u) << "keys beyond those that are documented: " << result;
  }
}

TEST_F(CartPole, DrivesTheSameWayForTheSameSeedAlone) {
  const auto loss = [&](const std::string& seed) {
    return events("--steps 5000 --precision mixed_bf16 --seed " + seed, "result")
        .at(0)
        .at("final_loss");
  };
  EXPECT_EQ(loss("5"), loss("5"));
  EXPECT_NE(loss("5"), loss("6"));
}

TEST_F(CartPole, LearnsFromOneStepOfOneCart) {
  EXPECT_EQ(events("--steps 3 --carts 1 --rounds 1 --epochs 1 --batch 1 --precision fp32", "result")
                .size(),
            1u);
}

TEST_F(CartPole, SaysWhatIsWrong) {
  const auto expect_refused = [&](const std::string& arguments, int code,
                                  const std::vector<std::string>& fragments) {
    expect_refusal("cartpole", arguments, code, fragments, folder);
  };
  expect_refused("--preset huge", 2, {"--preset", "huge", "small"});
  expect_refused("--precision fp12", 2, {"--precision", "fp12"});
  for (const char* option : {"--steps", "--carts", "--rounds", "--epochs", "--batch"})
    expect_refused(std::string(option) + " 0", 2, {option});
  expect_refused("--learning-rate 0", 2, {"--learning-rate"});
  expect_refused("--backend reference", 1, {"--backend reference", "onednn"});
  expect_refused("--json nowhere/lines.json", 1, {"nowhere/lines.json"});
}

}  // namespace
}  // namespace halfstep::test
