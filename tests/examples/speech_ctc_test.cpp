#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "examples/run_program.hpp"

namespace halfstep::test {
namespace {

using Json = nlohmann::json;

class SpeechCtc : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("speech_ctc")) GTEST_SKIP() << not_built;
  }
  void expect_refused(const std::string& arguments, int code,
                      const std::vector<std::string>& fragments) {
    expect_refusal("speech_ctc", arguments, code, fragments, folder);
  }
  /// The lines of one event that a run with `arguments` writes.
  std::vector<Json> events(const std::string& arguments, const std::string& event) {
    const Ran ran = run("speech_ctc", arguments + " --json lines.json", folder);
    EXPECT_EQ(ran.code, 0) << ran.error;
    EXPECT_EQ(ran.error, "");
    shown = ran.out;
    std::vector<Json> result;
    for (const std::string& line : lines(contents(folder / "lines.json"))) {
      const Json object = Json::parse(line);
      if (object.at("event") == event) result.push_back(object);
    }
    return result;
  }

  Folder folder;
  std::string shown;
};

/// A model of seconds, and tones that are easily told.
std::string tiny(int steps) {
  return "--preset small --layers 1 --hidden 32 --batch 16 --sequences 300 --noise 0.2 --steps " +
         std::to_string(steps) + " ";
}

TEST_F(SpeechCtc, LearnsTonesInEveryPrecisionAndWithoutMasters) {
  const auto results = events(tiny(150) + "--precision all,fp16_without_scaling", "result");
  ASSERT_EQ(results.size(), 7u);
  std::vector<std::string> names;
  for (const Json& result : results) {
    names.push_back(result.at("precision"));
    // One symbol for all would be wrong in at least 11 of 12.
    EXPECT_LT(result.at("symbol_error_rate"), 0.5) << result;
    for (const char* key : {"sequences_per_second", "median_step_ms", "activation_bytes"})
      EXPECT_GT(result.at(key), 0.0) << key;
    EXPECT_EQ(result.size(), 14u) << "keys beyond those that are documented: " << result;
    EXPECT_TRUE(std::regex_search(shown, std::regex("\\n" + names.back() + " +hears "))) << shown;
  }
  EXPECT_NE(std::find(names.begin(), names.end(), "fp16_without_masters"), names.end());
  // Masters and one moment beside 16-bit weights, and the moment alone.
  EXPECT_GT(results[1].at("optimizer_bytes"), results[5].at("optimizer_bytes"));
}

TEST_F(SpeechCtc, HearsTheSameTonesAgainForTheSameSeedAlone) {
  const std::string once = tiny(2) + "--precision fp32 --seed ";
  const auto loss = [&](const std::string& seed) {
    return events(once + seed, "result").at(0).at("final_loss");
  };
  EXPECT_EQ(loss("5"), loss("5"));
  EXPECT_NE(loss("5"), loss("6"));
}

TEST_F(SpeechCtc, LearnsFromASingleSequence) {
  const auto results = events(
      "--layers 1 --hidden 1 --batch 1 --steps 1 --sequences 1 --precision mixed_bf16", "result");
  ASSERT_EQ(results.size(), 1u);
  EXPECT_GE(results[0].at("symbol_error_rate"), 0.0);
}

TEST_F(SpeechCtc, SaysWhatIsWrong) {
  expect_refused("--preset huge", 2, {"--preset", "huge", "small"});
  expect_refused("--precision fp12", 2, {"--precision", "fp12", "fp16_without_masters"});
  expect_refused("--layers 0", 2, {"--layers"});
  expect_refused("--noise -1", 2, {"--noise"});
  expect_refused("--sequences 0", 2, {"--sequences"});
  expect_refused("--learning-rate 0", 2, {"--learning-rate"});
  expect_refused("--backend reference", 1, {"--backend reference", "onednn"});
  expect_refused(tiny(1) + "--json nowhere/lines.json", 1, {"nowhere/lines.json"});
}

}  // namespace
}  // namespace halfstep::test
