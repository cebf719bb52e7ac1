#include <fstream>
#include <nlohmann/json.hpp>

#include "examples/json_events.hpp"

namespace halfstep::test {
namespace {

using Json = nlohmann::json;

/// A text that is learnt in seconds: "abcabc...".
class CharGpt : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("char_gpt")) GTEST_SKIP() << not_built;
    std::ofstream file(folder / "text.txt");
    for (int i = 0; i < 400; ++i) file << "abc";
  }
  void expect_refused(const std::string& arguments, int code,
                      const std::vector<std::string>& fragments) {
    expect_refusal("char_gpt", arguments, code, fragments, folder);
  }

  /// The options of a model of seconds.
  static std::string tiny(const std::string& heads = "2", const std::string& context = "8",
                          const std::string& dropout = "0") {
    return "--data text.txt --layers 2 --width 16 --batch 8 --steps 60 --learning-rate 0.01 "
           "--heads " +
           heads + " --context " + context + " --dropout " + dropout + " ";
  }

  Folder folder;
};

TEST_F(CharGpt, LearnsATextInEveryPrecisionAndWritesIt) {
  const Ran ran = run("char_gpt",
                      tiny() +
                          "--precision all --sample 12 --temperature 0 --prompt ab --json "
                          "lines.json",
                      folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.error, "");
  const std::string text = contents(folder / "lines.json");
  ASSERT_EQ(events(text, "run").size(), 1u);
  const Json said = events(text, "run")[0];
  EXPECT_EQ(said.at("vocabulary"), 3);
  EXPECT_EQ(said.at("training_characters"), 1080);
  EXPECT_EQ(said.at("validation_characters"), 120);
  const auto results = events(text, "result");
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(events(text, "evaluation").size(), 5u * 4u);
  for (const Json& result : results) {
    // Chance is ln 3 = 1.1, and every next character is certain.
    EXPECT_LT(result.at("validation_loss"), 0.3) << result;
    for (const char* key : {"tokens_per_second", "median_step_ms", "activation_bytes"})
      EXPECT_GT(result.at(key), 0.0) << key;
    EXPECT_EQ(result.size(), 14u) << "keys beyond those that are documented: " << result;
  }
  for (const Json& sample : events(text, "sample")) EXPECT_EQ(sample.at("text"), "abcabcabcabcab");
  for (const Json& result : results)
    EXPECT_NE(ran.out.find(result.at("precision").get<std::string>() + " writes:"),
              std::string::npos);
}

TEST_F(CharGpt, RecomputingKeepsLessAndChangesNoLoss) {
  const auto result = [&](const std::string& more) {
    const Ran ran =
        run("char_gpt",
            tiny("2", "8", "0.2") + "--precision mixed_fp16 --sample 0 --json - " + more, folder);
    EXPECT_EQ(ran.code, 0) << ran.error;
    const auto results = events(ran.out, "result");
    return results.empty() ? Json::object() : results[0];
  };
  const Json kept = result(""), again = result("--recompute");
  EXPECT_EQ(again.at("validation_loss"), kept.at("validation_loss"));
  EXPECT_LT(again.at("activation_bytes"), kept.at("activation_bytes"));
  const Json tied = result("--tied");
  EXPECT_LT(tied.at("parameter_bytes"), kept.at("parameter_bytes"));
}

TEST_F(CharGpt, GoesOnFromALinesEndWhereNobodySaysFromWhat) {
  for (const auto& [text, opening] : {std::pair{"text.txt", 'a'}, std::pair{"lines.txt", '\n'}}) {
    std::ofstream lines(folder / "lines.txt");
    for (int i = 0; i < 400; ++i) lines << "abc\n";
    lines.close();
    const Ran ran = run("char_gpt",
                        "--layers 1 --heads 1 --width 4 --context 4 --batch 2 --steps 1 --sample 3 "
                        "--json - --data " +
                            std::string(text),
                        folder);
    ASSERT_EQ(ran.code, 0) << ran.error;
    const std::string written = events(ran.out, "sample").at(0).at("text");
    EXPECT_EQ(written.size(), 4u);
    EXPECT_EQ(written[0], opening);
  }
}

TEST_F(CharGpt, SaysWhatIsWrong) {
  expect_refused("--preset huge", 2, {"--preset", "huge", "small"});
  expect_refused("--precision fp12", 2, {"--precision", "fp12"});
  expect_refused("--context 0", 2, {"--context"});
  expect_refused("--prompt ''", 2, {"--prompt"});
  expect_refused("--data nowhere.txt", 1, {"nowhere.txt", "--data"});
  expect_refused(tiny() + "--prompt Z", 1, {"'Z'"});
  expect_refused(tiny("3"), 1, {"3 heads", "width 16"});
  expect_refused(tiny("2", "120"), 1, {"validation", "120", "--context"});
  std::ofstream(folder / "empty.txt").flush();
  expect_refused("--data empty.txt", 1, {"empty.txt"});
}

}  // namespace
}  // namespace halfstep::test
