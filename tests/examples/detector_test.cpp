#include <app/detector/anchors.hpp>
#include <app/detector/average_precision.hpp>
#include <app/detector/canvases.hpp>
#include <app/detector/hard_negatives.hpp>
#include <app/detector/suppress.hpp>

#include <halfstep/data/from_memory.hpp>

#include <nlohmann/json.hpp>

#include "examples/idx_files.hpp"
#include "examples/run_program.hpp"

namespace halfstep::test {
namespace {

using app::Box;
using app::Detection;
using app::Finding;
using app::Truth;
using Json = nlohmann::json;

TEST(Boxes, OverlapByWhatTheyShareOfWhatTheyCover) {
  const Box box{0, 0, 2, 2};
  EXPECT_EQ(app::intersection_over_union(box, box), 1.0f);
  EXPECT_EQ(app::intersection_over_union(box, {2, 0, 4, 2}), 0.0f) << "they touch";
  EXPECT_EQ(app::intersection_over_union(box, {3, 3, 4, 4}), 0.0f);
  EXPECT_EQ(app::intersection_over_union(box, {0, 0, 2, 1}), 0.5f);
  EXPECT_EQ(app::intersection_over_union(box, {1, 1, 3, 3}), 1.0f / 7.0f);
}

TEST(Boxes, AreDecodedFromTheOffsetsThatEncodeThem) {
  const Box anchor = Box::around(12, 20, 8, 16), box{10, 3, 21, 30};
  const app::Offsets none = app::encode(anchor, anchor);
  EXPECT_EQ(none, (app::Offsets{0, 0, 0, 0}));
  // (15.5 - 12) / 8 / 0.1, and the logarithm of 27 / 16 over 0.2.
  const app::Offsets offsets = app::encode(box, anchor);
  EXPECT_FLOAT_EQ(offsets[0], 4.375f);
  EXPECT_FLOAT_EQ(offsets[3], std::log(27.0f / 16.0f) / 0.2f);
  const Box again = app::decode(offsets, anchor);
  EXPECT_FLOAT_EQ(again.left, box.left);
  EXPECT_FLOAT_EQ(again.top, box.top);
  EXPECT_FLOAT_EQ(again.right, box.right);
  EXPECT_FLOAT_EQ(again.bottom, box.bottom);
}

TEST(Anchors, StandInTheMiddleOfCellsByRows) {
  std::vector<Box> anchors;
  app::AnchorGrid{2, 8.0f, {{4, 4}, {2, 6}}}.append_to(anchors);
  ASSERT_EQ(anchors.size(), 8u);
  EXPECT_EQ(anchors[0].left, 2.0f);
  EXPECT_EQ(anchors[1].top, 1.0f);
  EXPECT_EQ(anchors[2].x(), 12.0f);
  EXPECT_EQ(anchors[2].y(), 4.0f);
  EXPECT_EQ(anchors[7].y(), 12.0f);
}

TEST(Matching, GivesAnAnchorTheTruthThatItOverlapsMost) {
  const std::vector<Box> anchors{{0, 0, 4, 4}, {0, 0, 4, 3}, {8, 8, 12, 12}, {0, 0, 4, 1}};
  const std::vector<Truth> truths{{{0, 0, 4, 4}, 3}, {{0, 0, 4, 3}, 5}};
  EXPECT_EQ(app::match(anchors, truths),
            (std::vector<std::ptrdiff_t>{0, 1, app::no_truth, app::no_truth}));
  EXPECT_EQ(app::match(anchors, {}), std::vector<std::ptrdiff_t>(4, app::no_truth));
}

TEST(Matching, GivesEachTruthAnAnchorHoweverLittleItOverlaps) {
  const std::vector<Box> anchors{{0, 0, 4, 4}, {4, 0, 8, 4}, {8, 0, 12, 4}};
  // 1 / 31 of the second, and nothing of the others.
  EXPECT_EQ(app::match(anchors, std::vector<Truth>{{{4, 3, 5, 19}, 0}}),
            (std::vector<std::ptrdiff_t>{app::no_truth, 0, app::no_truth}));
  // Both overlap the first anchor most; the later one has what is left.
  const std::vector<Truth> two{{{0, 0, 5, 4}, 1}, {{1, 0, 6, 4}, 2}};
  EXPECT_EQ(app::match(anchors, two), (std::vector<std::ptrdiff_t>{0, 1, app::no_truth}));
  // One that no anchor overlaps has none.
  EXPECT_EQ(app::match(anchors, std::vector<Truth>{{{0, 9, 4, 12}, 1}}),
            std::vector<std::ptrdiff_t>(3, app::no_truth));
}

TEST(HardNegatives, AreThoseWhoseBackgroundIsDoubtedMost) {
  // Two classes, the second one background; two canvases of four anchors. The larger a row's first
  // logit, the larger its background's loss.
  const std::vector<float> logits{9, 0, 1, 0, 3, 0, 2, 0, 5, 0, 6, 0, 7, 0, 8, 0};
  const std::vector<std::int32_t> classes{0, 1, 1, 1, 1, 1, 1, 1};
  EXPECT_EQ(app::hardest(logits, classes, 2, 1, -100, 2),
            (std::vector<std::int32_t>{0, -100, 1, 1, -100, -100, -100, -100}))
      << "a canvas without a truth has no negatives either";
  EXPECT_EQ(app::hardest(logits, classes, 2, 1, -100, 9),
            (std::vector<std::int32_t>{0, 1, 1, 1, -100, -100, -100, -100}));
}

TEST(Suppression, KeepsTheSurestOfOverlappingDetectionsOfAClass) {
  const Box here{0, 0, 10, 10}, nearly{0, 0, 10, 9}, half{0, 0, 10, 4}, elsewhere{20, 20, 30, 30};
  const auto kept = app::suppress({{nearly, 1, 0.5f},
                                   {here, 1, 0.9f},
                                   {half, 1, 0.4f},
                                   {nearly, 2, 0.6f},
                                   {elsewhere, 1, 0.1f}});
  std::vector<float> confidences;
  for (const Detection& one : kept) confidences.push_back(one.confidence);
  EXPECT_EQ(confidences, (std::vector<float>{0.9f, 0.6f, 0.4f, 0.1f}));
  EXPECT_EQ(app::suppress({{here, 1, 0.9f}, {elsewhere, 1, 0.8f}}, 0.45f, 1).size(), 1u);
}

TEST(AveragePrecision, IsTheAreaUnderTheCurveAboveEachRecall) {
  const Box first{0, 0, 10, 10}, second{20, 0, 30, 10}, nowhere{40, 40, 50, 50};
  // Three truths. From the surest detection on: right, wrong, right, and one found twice.
  const std::vector<Finding> findings{
      {{{first, 4}, {second, 4}}, {{first, 4, 0.9f}, {nowhere, 4, 0.8f}, {first, 4, 0.6f}}},
      {{{first, 4}, {second, 7}}, {{first, 4, 0.7f}, {second, 4, 0.1f}}}};
  // Recall 1/3 at precision 1, 2/3 at 2/3, and never more.
  EXPECT_DOUBLE_EQ(*app::average_precision(findings, 4), (1.0 + 2.0 / 3.0) / 3.0);
  EXPECT_EQ(*app::average_precision(findings, 7), 0.0) << "it was taken for a 4";
  EXPECT_FALSE(app::average_precision(findings, 5).has_value());
  EXPECT_DOUBLE_EQ(app::mean_average_precision(findings, 10), (1.0 + 2.0 / 3.0) / 6.0);
}

TEST(AveragePrecision, AsksForHalfOfWhatBothBoxesCover) {
  const std::vector<Finding> half{{{{{0, 0, 10, 10}, 0}}, {{{0, 0, 10, 5}, 0, 0.9f}}}};
  EXPECT_EQ(*app::average_precision(half, 0), 1.0);
  EXPECT_EQ(*app::average_precision(half, 0, 0.75f), 0.0);
  // A surer wrong one halves the precision at every recall.
  const std::vector<Finding> doubted{
      {{{{0, 0, 10, 10}, 0}}, {{{0, 0, 10, 10}, 0, 0.3f}, {{9, 9, 19, 19}, 0, 0.4f}}}};
  EXPECT_EQ(*app::average_precision(doubted, 0), 0.5);
}

data::ClassificationSet two_squares(bool dark = false) {
  std::vector<float> pixels(2 * 784, 0.0f);
  for (std::size_t image = 0; image < (dark ? 1u : 2u); ++image)
    for (std::size_t y = 4; y < 24; ++y)
      for (std::size_t x = 4; x < 24; ++x) pixels[image * 784 + y * 28 + x] = 1.0f;
  return data::from_memory(pixels, {2, 784}, std::vector<int>{0, 1});
}

TEST(Canvases, HaveTheirDigitsWhereTheySay) {
  const data::ClassificationSet digits = two_squares();
  const app::CanvasPainter painter(digits, {.noise = 0.0f, .most_overlap = 0.0f});
  RandomStream random(5), same(5);
  std::size_t most = 0;
  for (int i = 0; i < 50; ++i) {
    const app::Canvas canvas = painter.paint(random);
    EXPECT_EQ(canvas.pixels, painter.paint(same).pixels) << "the seed decides";
    ASSERT_GE(canvas.truths.size(), 1u);
    most = std::max(most, canvas.truths.size());
    std::vector<bool> covered(64 * 64, false);
    for (const Truth& truth : canvas.truths) {
      const Box& box = truth.box;
      ASSERT_GE(box.left, 0.0f);
      ASSERT_GE(box.top, 0.0f);
      ASSERT_LE(box.right, 64.0f);
      ASSERT_LE(box.bottom, 64.0f);
      EXPECT_EQ(box.width(), box.height()) << "a square stays one";
      EXPECT_GE(box.width(), 14.0f);
      EXPECT_LE(box.width(), 30.0f);
      for (float y = box.top; y < box.bottom; ++y)
        for (float x = box.left; x < box.right; ++x)
          covered[static_cast<std::size_t>(y * 64 + x)] = true;
    }
    // Bright within boxes, as far as half a pixel of a square's edge leaves it, and dark outside.
    for (std::size_t at = 0; at < covered.size(); ++at)
      EXPECT_EQ(canvas.pixels[at] > 0.0f, covered[at]) << at % 64 << ", " << at / 64;
  }
  EXPECT_GE(most, 3u);
}

TEST(Canvases, RefuseADarkImage) {
  const data::ClassificationSet digits = two_squares(true);
  EXPECT_THROW(app::CanvasPainter painter(digits), DataError);
}

class DetectorProgram : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("detector")) GTEST_SKIP() << not_built;
    write_shapes(folder.path() / "shapes", 80);
  }
  void expect_refused(const std::string& arguments, int code,
                      const std::vector<std::string>& fragments) {
    expect_refusal("detector", arguments, code, fragments, folder);
  }
  std::vector<Json> events(const std::string& text, const std::string& event) const {
    std::vector<Json> result;
    for (const std::string& line : lines(text)) {
      const Json object = Json::parse(line);
      if (object.at("event") == event) result.push_back(object);
    }
    return result;
  }

  Folder folder;
};

TEST_F(DetectorProgram, FindsShapesInEveryPrecision) {
  const Ran ran = run("detector",
                      "--data shapes --precision all,fp16_without_scaling --steps 160 --batch 8 "
                      "--test-canvases 40 --json lines.json",
                      folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.error, "");
  const std::string text = contents(folder / "lines.json");
  ASSERT_EQ(events(text, "run").size(), 1u);
  EXPECT_EQ(events(text, "run")[0].at("test_canvases"), 40);
  EXPECT_EQ(events(text, "evaluation").size(), 6u * 4u);
  const std::vector<Json> results = events(text, "result");
  ASSERT_EQ(results.size(), 6u);
  for (const Json& result : results) {
    EXPECT_EQ(result.at("model"), "ssd");
    EXPECT_GT(result.at("mean_average_precision"), 0.5) << result;
    EXPECT_LE(result.at("mean_average_precision_75"), result.at("mean_average_precision"));
    for (const char* key : {"canvases_per_second", "median_step_ms", "activation_bytes"})
      EXPECT_GT(result.at(key), 0.0) << key;
    EXPECT_EQ(result.size(), 15u) << "keys beyond those that are documented: " << result;
  }
}

TEST_F(DetectorProgram, TheSameSeedGivesTheSameResult) {
  const auto result = [&](const std::string& seed) {
    const Ran ran = run("detector",
                        "--data shapes --precision fp32 --steps 12 --batch 4 --test-canvases 4 "
                        "--threads 1 --json - --seed " +
                            seed,
                        folder);
    const auto results = events(ran.out, "result");
    return results.empty() ? Json() : results[0].at("final_loss");
  };
  const Json first = result("3");
  EXPECT_TRUE(first.is_number());
  EXPECT_EQ(first, result("3"));
  EXPECT_NE(first, result("4"));
}

TEST_F(DetectorProgram, SaysWhatIsWrong) {
  expect_refused("--preset huge", 2, {"--preset", "huge", "small"});
  expect_refused("--precision fp12", 2, {"--precision", "fp12"});
  expect_refused("--steps 0", 2, {"--steps", "1 or more"});
  expect_refused("--batch 0", 2, {"--batch"});
  expect_refused("--test-canvases none", 2, {"--test-canvases"});
  expect_refused("--learning-rate 0", 2, {"--learning-rate"});
  expect_refused("--backend reference", 1, {"reference", "eigen"});
  expect_refused("--data nowhere", 1, {"nowhere", "train-images"});
  expect_refused("--data shapes --precision tf32", 1, {"tf32"});
  write_idx(folder / "shapes/train-images-idx3-ubyte", {1, 28, 28},
            std::vector<std::uint8_t>(784, 0));
  write_idx(folder / "shapes/train-labels-idx1-ubyte", {1}, {3});
  expect_refused("--data shapes", 1, {"image 0", "dark"});
}

}  // namespace
}  // namespace halfstep::test
