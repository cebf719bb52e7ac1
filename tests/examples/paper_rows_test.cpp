#include <fstream>
#include <nlohmann/json.hpp>

#include "examples/run_program.hpp"

namespace halfstep::test {
namespace {

class PaperRows : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("paper_rows") || !is_built("char_gpt")) GTEST_SKIP() << not_built;
    std::ofstream file(folder / "text.txt");
    for (int i = 0; i < 400; ++i) file << "abc";
  }
  Folder folder;
};

TEST_F(PaperRows, ComparesFourPrecisionsByTheMeanOfTheirSeeds) {
  const Ran ran = run("paper_rows",
                      "--rows gpt --seeds 2 --json rows.jsonl --more '--data text.txt --layers 1 "
                      "--heads 1 --width 8 --context 4 --batch 4 --steps 20'",
                      folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const auto row = nlohmann::json::parse(contents(folder / "rows.jsonl"));
  EXPECT_EQ(row.at("program"), "char_gpt");
  EXPECT_EQ(row.at("seeds"), 2);
  for (const char* precision : {"fp32", "fp16_without_scaling", "mixed_fp16", "mixed_bf16"}) {
    // A random text of three letters costs ln 3.
    EXPECT_LT(row.at(precision), 1.2) << precision;
    EXPECT_GT(row.at(precision), 0.0) << precision;
  }
  EXPECT_FALSE(row.contains("fp16_without_masters"));
  const Ran first = run("char_gpt",
                        "--preset small --data text.txt --layers 1 --heads 1 --width 8 --context 4 "
                        "--batch 4 --steps 20 --sample 0 --precision fp32 --seed 1 --json -",
                        folder);
  const auto result = nlohmann::json::parse(lines(first.out).back());
  const Ran second = run("char_gpt",
                         "--preset small --data text.txt --layers 1 --heads 1 --width 8 --context "
                         "4 --batch 4 --steps 20 --sample 0 --precision fp32 --seed 2 --json -",
                         folder);
  const auto other = nlohmann::json::parse(lines(second.out).back());
  EXPECT_DOUBLE_EQ(
      row.at("fp32"),
      (result.at("validation_loss").get<double>() + other.at("validation_loss").get<double>()) / 2);
  EXPECT_NE(ran.out.find("gpt"), std::string::npos);
  EXPECT_EQ(ran.out.find("step 20/20"), std::string::npos) << "progress is not the table";
}

TEST_F(PaperRows, SaysWhatIsWrong) {
  expect_refusal("paper_rows", "--rows nonsense", 2, {"nonsense", "speech"}, folder);
  expect_refusal("paper_rows", "--seeds 0", 2, {"--seeds"}, folder);
}

}  // namespace
}  // namespace halfstep::test
