#include "examples/idx_files.hpp"
#include "examples/run_program.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

namespace halfstep::test {
namespace {

/// The number behind a word in a program's output; NaN where there is none.
double number_after(const std::string& text, const std::string& word) {
  std::smatch match;
  const std::regex pattern(word + " +([-+0-9.e]+)");
  return std::regex_search(text, match, pattern) ? std::stod(match[1]) : std::nan("");
}

TEST(FirstProgram, IsTheFirstCodeBlockOfTheReadme) {
  const std::string readme = contents(source_folder() / "README.md");
  const std::size_t first = readme.find("```");
  ASSERT_NE(first, std::string::npos);
  ASSERT_EQ(readme.substr(first, 7), "```cpp\n");
  const std::size_t end = readme.find("```", first + 3);
  EXPECT_EQ(readme.substr(first + 7, end - first - 7),
            contents(source_folder() / "examples/first_program.cpp"));
}

#if defined(HALFSTEP_ZLIB)
TEST(FirstProgram, TrainsAndSavesAModelThatDeployPredictsWith) {
  if (!is_built("deploy")) GTEST_SKIP() << not_built;
  const Folder folder;
  const Ran trained = run("first_program", "", folder);
  ASSERT_EQ(trained.code, 0) << trained.error;
  EXPECT_GT(number_after(trained.out, "test accuracy"), 0.85) << trained.out;
  ASSERT_TRUE(std::filesystem::exists(folder / "classifier.safetensors"));

  const Ran predicted = run("deploy", "classifier.safetensors --sample 3", folder);
  ASSERT_EQ(predicted.code, 0) << predicted.error;
  EXPECT_EQ(number_after(predicted.out, "test image"), 3);
  EXPECT_GT(number_after(predicted.out, "prediction"), 0.0) << predicted.out;
  EXPECT_GT(number_after(predicted.out, "its bare products"), 0.0) << predicted.out;
}
#endif

class Deploy : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("deploy")) GTEST_SKIP() << not_built;
  }
  Folder folder;
  std::string data = write_mnist(folder.path() / "small", 2000);
};

TEST_F(Deploy, TrainsWhereNoModelIsNamedAndPredictsRightly) {
  const Ran ran = run("deploy", "--data small --sample 4", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_NE(ran.out.find("predicted 8, labelled 8"), std::string::npos) << ran.out;
}

TEST_F(Deploy, SaysWhatIsWrong) {
  const auto expect_refused = [&](const std::string& arguments, int code,
                                  const std::vector<std::string>& fragments) {
    expect_refusal("deploy", "--data small " + arguments, code, fragments, folder);
  };
  expect_refused("--sample -1", 2, {"--sample", "0 or more"});
  expect_refused("--threads 0", 2, {"--threads"});
  expect_refused("nowhere.safetensors", 1, {"nowhere.safetensors"});
  std::ofstream(folder / "noise.safetensors") << "not a model at all, whatever its name says";
  expect_refused("noise.safetensors", 1, {"noise.safetensors"});
  std::ofstream(folder / "empty.safetensors");
  expect_refused("empty.safetensors", 1, {"empty.safetensors"});
  expect_refused("--sample 2000", 1, {"2000"});
}

/// The objects of a program's JSON lines of one event.
std::vector<nlohmann::json> events(const std::string& text, const std::string& event) {
  std::vector<nlohmann::json> found;
  for (const std::string& line : lines(text)) {
    if (line.empty() || line[0] != '{') continue;
    auto object = nlohmann::json::parse(line);
    if (object.at("event") == event) found.push_back(std::move(object));
  }
  return found;
}

TEST(PrecisionStages, GoesOnInFp32WhereItsFirstEpochsEnded) {
  if (!is_built("precision_stages")) GTEST_SKIP() << not_built;
  const Folder folder;
  write_mnist(folder.path() / "small", 600);
  const Ran ran =
      run("precision_stages", "--data small --epochs 6 --first-epochs 3 --json -", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto epochs = events(ran.out, "epoch");
  ASSERT_EQ(epochs.size(), 6u) << ran.out;
  for (std::size_t i = 0; i < epochs.size(); ++i) {
    EXPECT_EQ(epochs[i].at("precision"), i < 3 ? "mixed_bf16" : "fp32");
    EXPECT_EQ(epochs[i].at("applied_steps"), (i + 1) * 5) << "600 samples are 5 batches";
  }
  const auto result = events(ran.out, "result").at(0);
  EXPECT_TRUE(result.at("masters_equal").get<bool>());
  EXPECT_EQ(run("precision_stages", "--epochs 1 --first-epochs 2", folder).code, 2);
}

TEST(FallBack, LeavesFp16WhenItsScaleCollapsesAndLosesNoStep) {
  if (!is_built("fall_back")) GTEST_SKIP() << not_built;
  const Folder folder;
  const Ran ran = run("fall_back", "--json run.jsonl", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::string text = contents(folder / "run.jsonl");
  const auto result = events(text, "result").at(0);
  ASSERT_TRUE(result.at("fell_back").get<bool>()) << ran.out;
  EXPECT_EQ(result.at("applied_steps"), 800);
  EXPECT_EQ(result.at("applied_in_fp16"), result.at("fell_back_at").get<int>() - 1);
  EXPECT_GT(result.at("applied_in_fp16"), 100) << "FP16 serves as long as it can";
  EXPECT_LT(result.at("error_on_border"), 0.1);
  double scale = 65536.0;
  for (const auto& step : events(text, "step")) {
    EXPECT_LE(step.at("loss_scale"), scale) << "it only gives way";
    scale = step.at("loss_scale");
  }
  EXPECT_NE(ran.out.find("'out.weight'"), std::string::npos) << ran.out;
}

TEST(SmallUpdates, SurviveInEveryWayButOneAndTakeAsManyBytesAsTheySay) {
  if (!is_built("small_updates")) GTEST_SKIP() << not_built;
  const Folder folder;
  write_mnist(folder.path() / "small", 1000);
  const Ran ran = run("small_updates", "--data small --epochs 10 --json -", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto results = events(ran.out, "result");
  ASSERT_EQ(results.size(), 5u) << ran.out;
  const double with_masters = results[0].at("final_loss");
  const std::pair<std::string, double> expected[] = {{"MasterWeights", 16.0},
                                                     {"SplitMaster", 14.0},
                                                     {"StochasticRounding", 12.0},
                                                     {"KahanSum", 14.0},
                                                     {"UnsafeNearest", 12.0}};
  for (std::size_t i = 0; i < 5; ++i) {
    const double loss = results[i].at("final_loss");
    EXPECT_EQ(results[i].at("update"), expected[i].first);
    EXPECT_EQ(results[i].at("bytes_per_parameter"), expected[i].second);
    if (i < 4) {
      EXPECT_NEAR(loss, with_masters, 0.01 * with_masters) << expected[i].first;
    } else {
      EXPECT_GT(loss, 1.1 * with_masters) << "rounded to nearest, small updates are lost";
    }
  }
}

TEST(OwnLoop, TrainsByHandAndByPolicy) {
  if (!is_built("own_loop")) GTEST_SKIP() << not_built;
  const Folder folder;
  write_mnist(folder.path() / "small", 500);
  const Ran ran = run("own_loop", "--data small --epochs 6", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(lines(ran.out).size(), 3u * 6u) << ran.out;
  for (const std::string& line : lines(ran.out)) {
    if (line.find("epoch 6") == std::string::npos) continue;
    EXPECT_GT(number_after(line, "accuracy"), 95.0) << line;
  }
  expect_refusal("own_loop", "--data nowhere", 1, {"nowhere"}, folder);
  expect_refusal("own_loop", "--epochs 0", 2, {"--epochs"}, folder);
}

TEST(OwnParts, LearnTheirSurface) {
  if (!is_built("own_parts")) GTEST_SKIP() << not_built;
  const Folder folder;
  const Ran ran = run("own_parts", "", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  // The surface's own deviation is about 0.5.
  EXPECT_LT(number_after(ran.out, "root mean square error"), 0.12) << ran.out;
}

class Regression : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("regression")) GTEST_SKIP() << not_built;
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name, std::ios::binary) << text;
  }
  void expect_refused(const std::string& arguments, int code,
                      const std::vector<std::string>& fragments) {
    expect_refusal("regression", arguments, code, fragments, folder);
  }
  Folder folder;
};

TEST_F(Regression, PredictsAPendulumFarBetterThanItsMean) {
  const Ran ran = run("regression", "", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const double mean = number_after(ran.out, "predicting the mean");
  const double network = number_after(ran.out, "the network");
  EXPECT_LT(network, 0.1 * mean) << ran.out;
  // What is read off the stopwatch is wrong by 0.01 s.
  EXPECT_GT(network, 0.008) << ran.out;
}

TEST_F(Regression, PredictsAColumnOfACsvFile) {
  std::string text = "name,x,y,constant\n";
  for (int i = 0; i < 500; ++i) {
    const double x = i % 37 / 37.0;
    const double y = 100.0 + 5.0 * x * x;
    text += "row " + std::to_string(i) + "," + std::to_string(x) + "," + std::to_string(y) + ",1\n";
  }
  write("table.csv", text);
  const Ran ran = run("regression", "--csv table.csv --target y --features x,constant", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_LT(number_after(ran.out, "the network"),
            0.1 * number_after(ran.out, "predicting the mean"))
      << ran.out;
  expect_refused("--csv table.csv --target y", 1, {"table.csv", "line 2", "name", "row 0"});
  expect_refused("--csv table.csv --target z", 1, {"table.csv", "z", "constant"});
  expect_refused("--csv table.csv", 2, {"--target"});
  expect_refused("--target y", 2, {"--csv"});
}

TEST_F(Regression, SaysWhatIsWrongWithAFile) {
  expect_refused("--csv nowhere.csv --target y", 1, {"nowhere.csv"});
  write("empty.csv", "");
  expect_refused("--csv empty.csv --target y", 1, {"empty.csv"});
  write("header.csv", "x,y\n");
  expect_refused("--csv header.csv --target y", 1, {"header.csv"});
  write("ragged.csv", "x,y\n1,2\n3\n");
  expect_refused("--csv ragged.csv --target y", 1, {"ragged.csv", "line 3"});
  write("alone.csv", "y\n1\n2\n");
  expect_refused("--csv alone.csv --target y", 1, {"alone.csv"});
  write("one_row.csv", "x,y\n1,2\n");
  expect_refused("--csv one_row.csv --target y", 1, {"1"});
  write("nan.csv", "x,y\n1,2\nnan,3\n");
  expect_refused("--csv nan.csv --target y", 1, {"nan.csv", "line 3"});
}

}  // namespace
}  // namespace halfstep::test
