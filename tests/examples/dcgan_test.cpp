#include <nlohmann/json.hpp>

#include "examples/idx_files.hpp"
#include "examples/json_events.hpp"

namespace halfstep::test {
namespace {

using Json = nlohmann::json;

/// Digits that are one bright bar each: their distance is learnt in seconds.
class Dcgan : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("dcgan")) GTEST_SKIP() << not_built;
#if !__has_include(<Eigen/Core>)
    GTEST_SKIP() << "dcgan's score needs Eigen";
#endif
  }
  Ran run_tiny(const std::string& arguments) {
    return run("dcgan",
               "--data small --width 8 --latent 8 --batch 20 --learning-rate 0.003 --samples 200 " +
                   arguments,
               folder);
  }
  void expect_refused(const std::string& arguments, int code,
                      const std::vector<std::string>& fragments) {
    expect_refusal("dcgan", arguments, code, fragments, folder);
  }
  bool is_there(const std::string& file) const { return std::filesystem::exists(folder / file); }

  Folder folder;
  std::string data = write_mnist(folder.path() / "small", 200);
};

TEST_F(Dcgan, ComesNearerToTheDigitsInEveryPrecisionAndShowsThem) {
  const Ran ran = run_tiny("--steps 80 --precision all,fp16_without_scaling --json lines.json");
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.error, "");
  const std::string text = contents(folder / "lines.json");
  ASSERT_EQ(events(text, "run").size(), 1u);
  EXPECT_EQ(events(text, "run")[0].at("width"), 8);
  ASSERT_EQ(events(text, "judge").size(), 1u);
  // Ten bright bars are told apart at once, and the test digits are the training digits.
  EXPECT_EQ(events(text, "judge")[0].at("test_accuracy"), 1.0);
  EXPECT_NEAR(events(text, "judge")[0].at("frechet_distance"), 0.0, 1e-3);
  const auto results = events(text, "result"), evaluations = events(text, "evaluation");
  ASSERT_EQ(results.size(), 6u);
  ASSERT_EQ(evaluations.size(), 6u * 4u);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Json& result = results[i];
    const double first = evaluations[4 * i].at("frechet_distance");
    EXPECT_LT(result.at("frechet_distance"), 0.7 * first) << result;
    EXPECT_GE(result.at("inception_score"), 1.0);
    EXPECT_EQ(result.at("frechet_distance"), evaluations[4 * i + 3].at("frechet_distance"));
    for (const char* key : {"samples_per_second", "median_step_ms", "activation_bytes"})
      EXPECT_GT(result.at(key), 0.0) << key;
    EXPECT_EQ(result.size(), 15u) << "keys beyond those that are documented: " << result;
    const std::string precision = result.at("precision");
    const std::string name = "dcgan_" + precision;
    EXPECT_TRUE(is_there(name + ".png") || is_there(name + ".pgm")) << name;
    EXPECT_NE(ran.out.find("\n" + precision + " "), std::string::npos) << ran.out;
  }
}

TEST_F(Dcgan, DoesTheSameAgainForTheSameSeed) {
  const auto result = [&](const std::string& more) {
    const Ran ran = run_tiny("--steps 10 --precision mixed_bf16 --images '' --json - " + more);
    EXPECT_EQ(ran.code, 0) << ran.error;
    const auto results = events(ran.out, "result");
    return results.empty() ? Json::object() : results[0];
  };
  const Json once = result("--seed 3"), again = result("--seed 3"), other = result("--seed 4");
  EXPECT_EQ(once.at("frechet_distance"), again.at("frechet_distance"));
  EXPECT_NE(once.at("frechet_distance"), other.at("frechet_distance"));
  EXPECT_FALSE(is_there("_mixed_bf16.png") || is_there("_mixed_bf16.pgm"));
}

TEST_F(Dcgan, SaysWhatIsWrong) {
  expect_refused("--preset huge", 2, {"--preset", "huge", "small"});
  expect_refused("--precision fp12", 2, {"--precision", "fp12"});
  expect_refused("--batch 0", 2, {"--batch"});
  expect_refused("--samples 1", 2, {"--samples"});
  expect_refused("--learning-rate -1", 2, {"--learning-rate"});
  expect_refused("--backend reference", 1, {"--backend", "reference"});
  expect_refused("--data nowhere", 1, {"nowhere"});
  expect_refused("--data small --images nowhere/digits", 1, {"--images", "nowhere"});
}

}  // namespace
}  // namespace halfstep::test
