#include <fstream>
#include <nlohmann/json.hpp>

#include "examples/json_events.hpp"

namespace halfstep::test {
namespace {

using Json = nlohmann::json;

/// A text whose next character hangs on the one before the last: "aabbaabb...".
class CharLstm : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("char_lstm")) GTEST_SKIP() << not_built;
    std::ofstream file(folder / "text.txt");
    for (int i = 0; i < 300; ++i) file << "aabb";
  }
  void expect_refused(const std::string& arguments, int code,
                      const std::vector<std::string>& fragments) {
    expect_refusal("char_lstm", arguments, code, fragments, folder);
  }

  Folder folder;
};

TEST_F(CharLstm, RemembersWhatTheLastCharacterDoesNotTellInEveryPrecision) {
  const Ran ran = run("char_lstm",
                      "--data text.txt --layers 1 --width 16 --context 16 --batch 8 --steps 80 "
                      "--learning-rate 0.02 --precision all,fp16_without_scaling --sample 12 "
                      "--temperature 0 --prompt aab --json lines.json",
                      folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.error, "");
  const std::string text = contents(folder / "lines.json");
  ASSERT_EQ(events(text, "run").size(), 1u);
  const Json said = events(text, "run")[0];
  EXPECT_EQ(said.at("program"), "char_lstm");
  EXPECT_EQ(said.at("vocabulary"), 2);
  EXPECT_EQ(said.at("training_characters"), 1080);
  const auto results = events(text, "result");
  ASSERT_EQ(results.size(), 6u);
  for (const Json& result : results) {
    // The last character alone leaves ln 2 = 0.69. Two tell all, so that what remains is the first
    // guess of each window, one of 16: ln 2 / 16 = 0.04.
    EXPECT_LT(result.at("validation_loss"), 0.2) << result;
    EXPECT_EQ(result.at("model"), "lstm");
    for (const char* key : {"tokens_per_second", "median_step_ms", "activation_bytes"})
      EXPECT_GT(result.at(key), 0.0) << key;
    EXPECT_EQ(result.size(), 14u) << "keys beyond those that are documented: " << result;
  }
  ASSERT_EQ(events(text, "sample").size(), 6u);
  for (const Json& sample : events(text, "sample")) EXPECT_EQ(sample.at("text"), "aabbaabbaabbaab");
}

TEST_F(CharLstm, KeepsHalfForBackwardInMixedPrecision) {
  const Ran ran = run("char_lstm",
                      "--data text.txt --layers 2 --width 16 --context 16 --batch 8 --steps 2 "
                      "--dropout 0.2 --precision fp32,mixed_bf16 --sample 0 --json -",
                      folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto results = events(ran.out, "result");
  ASSERT_EQ(results.size(), 2u);
  const double fp32 = results[0].at("activation_bytes"), bf16 = results[1].at("activation_bytes");
  EXPECT_LT(bf16, 0.7 * fp32);
}

TEST_F(CharLstm, SaysWhatIsWrong) {
  expect_refused("--preset huge", 2, {"--preset", "huge", "small"});
  expect_refused("--precision fp12", 2, {"--precision", "fp12"});
  expect_refused("--context 0", 2, {"--context"});
  expect_refused("--heads 2", 2, {"--heads"});
  expect_refused("--prompt ''", 2, {"--prompt"});
  expect_refused("--backend reference", 1, {"reference", "onednn", "eigen"});
  expect_refused("--data nowhere.txt", 1, {"nowhere.txt", "--data"});
  expect_refused("--data text.txt --context 8 --prompt Z", 1, {"'Z'"});
  expect_refused("--data text.txt --context 120", 1, {"validation", "120", "--context"});
}

}  // namespace
}  // namespace halfstep::test
