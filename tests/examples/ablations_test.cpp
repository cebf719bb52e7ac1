// What Micikevicius et al. say happens without each mechanism (arXiv 1710.03740, section 3), from
// the numbers that the program writes. Its own verdicts are only compared with what is found here.
#include "examples/run_program.hpp"

#include <halfstep/numeric/numeric_traits.hpp>

#include <nlohmann/json.hpp>

#include <map>

namespace halfstep::test {
namespace {

using Json = nlohmann::json;

class Ablations : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!is_built("ablations")) return;
    const Folder folder;
    ran = run("ablations", "--json lines.json", folder);
    for (const std::string& line : lines(contents(folder / "lines.json"))) {
      const Json parsed = Json::parse(line);
      const std::string ablation = parsed.at("ablation");
      if (parsed.at("event") == "verdict")
        verdicts[ablation] = parsed.at("holds");
      else
        trials[ablation][parsed.at("variant")].push_back(parsed);
    }
  }
  void SetUp() override {
    if (!is_built("ablations")) GTEST_SKIP() << not_built;
    ASSERT_EQ(trials.size(), 4u) << ran.out << ran.error;
  }

  /// The trials of one variant: the three seeds.
  static const std::vector<Json>& of(const std::string& ablation, const std::string& variant) {
    const auto& found = trials[ablation][variant];
    EXPECT_EQ(found.size(), 3u) << ablation << " " << variant;
    return found;
  }
  static double left(const Json& trial) {
    return trial.at("final_loss").get<double>() / trial.at("first_loss").get<double>();
  }
  /// Calls check(one, other) on two variants' trials of the same seed.
  template <class Check>
  static void by_seed(const std::string& ablation, const std::string& one, const std::string& other,
                      const Check& check) {
    for (std::size_t i = 0; i < 3; ++i) {
      const Json& a = of(ablation, one).at(i);
      const Json& b = of(ablation, other).at(i);
      ASSERT_EQ(a.at("seed"), b.at("seed"));
      SCOPED_TRACE(a.dump() + "\n" + b.dump());
      check(a, b);
    }
  }

  static inline Ran ran;
  static inline std::map<std::string, std::map<std::string, std::vector<Json>>> trials;
  static inline std::map<std::string, bool> verdicts;
};

TEST_F(Ablations, WithoutMasterWeightsTheLossStallsWhereWithThemItFalls) {
  for (const auto& [with, without] : {std::pair("mixed_fp16", "fp16_without_masters"),
                                      std::pair("mixed_bf16", "bf16_without_masters")})
    by_seed("master_weights", with, without, [](const Json& kept, const Json& lost) {
      EXPECT_LT(left(kept), 0.1);
      EXPECT_GT(left(lost), 0.5);
      // Because nearly all updates are too small for the stored weight.
      EXPECT_GT(kept.at("updates_below_half_ulp"), 0.99);
      EXPECT_GT(kept.at("weights_that_moved"), 0.4);
      EXPECT_LT(lost.at("weights_that_moved"), 0.05);
      EXPECT_TRUE(lost.at("updates_below_half_ulp").is_null());
    });
  by_seed("master_weights", "fp32", "mixed_fp16", [](const Json& full, const Json& mixed) {
    EXPECT_NEAR(mixed.at("final_loss"), full.at("final_loss"),
                0.1 * full.at("final_loss").get<double>());
  });
}

TEST_F(Ablations, WithoutScalingSmallGradientsTeachNothingAndWithItTheyMatchFp32) {
  by_seed("loss_scaling", "fp32", "fp16_without_scaling", [](const Json& full, const Json& bare) {
    EXPECT_GT(full.at("gradients_below_smallest"), 0.5);
    EXPECT_LT(left(full), 0.01);
    EXPECT_EQ(bare.at("zero_gradients"), 1.0);
    // Not one weight has moved.
    EXPECT_EQ(bare.at("final_loss"), bare.at("first_loss"));
  });
  by_seed("loss_scaling", "fp32", "mixed_fp16", [](const Json& full, const Json& scaled) {
    EXPECT_LT(scaled.at("zero_gradients"), 0.05);
    EXPECT_NEAR(scaled.at("final_loss"), full.at("final_loss"),
                0.1 * full.at("final_loss").get<double>());
  });
}

TEST_F(Ablations, SumsInSixteenBitsStallWhereTheirUlpIsTwo) {
  const auto expect_stall = [](const char* narrow, const char* wide, int digits) {
    by_seed("accumulator", narrow, wide, [&](const Json& stalled, const Json& exact) {
      // With an ulp of 2 a summand below 1 is rounded away: from 2^digits on.
      EXPECT_EQ(stalled.at("sum_reached"), std::exp2(digits));
      EXPECT_EQ(exact.at("sum_reached"), 8192 * 0.75);
      EXPECT_GT(stalled.at("final_loss").get<double>(),
                1000.0 * exact.at("final_loss").get<double>());
    });
  };
  expect_stall("fp16_accumulator", "mixed_fp16", numeric_traits<float16>::digits);
  expect_stall("bf16_accumulator", "mixed_bf16", numeric_traits<bfloat16>::digits);
}

TEST_F(Ablations, GradientsOfManyMicroBatchesNeedSumsInFp32) {
  const auto expect_error = [](const char* narrow, const char* wide, double unit_roundoff,
                               double error, double more) {
    by_seed("gradient_sums", narrow, wide, [&](const Json& narrow_sums, const Json& wide_sums) {
      // Each micro-batch's gradient is rounded once in weights and once when it is stored.
      EXPECT_LT(wide_sums.at("gradient_error"), 2.0 * unit_roundoff);
      EXPECT_GT(narrow_sums.at("gradient_error"), error);
      EXPECT_GT(narrow_sums.at("final_loss").get<double>(),
                more * wide_sums.at("final_loss").get<double>());
    });
  };
  expect_error("fp16_sums", "mixed_fp16", numeric_traits<float16>::unit_roundoff, 0.1, 1.05);
  expect_error("bf16_sums", "mixed_bf16", numeric_traits<bfloat16>::unit_roundoff, 0.5, 2.0);
}

TEST_F(Ablations, PrintsATableOfEachWithItsVerdict) {
  EXPECT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(verdicts.size(), 4u);
  for (const auto& [ablation, holds] : verdicts) {
    EXPECT_TRUE(holds) << ablation;
    EXPECT_NE(ran.out.find(ablation + " ("), std::string::npos);
    for (const auto& [variant, runs] : trials[ablation])
      EXPECT_NE(ran.out.find("\n" + variant + " "), std::string::npos) << variant;
  }
  EXPECT_EQ(ran.error, "");
}

TEST_F(Ablations, SaysWhatIsWrong) {
  const Folder folder;
  expect_refusal("ablations", "--seed -1", 2, {"--seed", "0 or more"}, folder);
  expect_refusal("ablations", "--threads 0", 2, {"--threads"}, folder);
}

}  // namespace
}  // namespace halfstep::test
