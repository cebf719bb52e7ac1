#include <nlohmann/json.hpp>

#include "examples/json_events.hpp"

#include <app/translate/dates.hpp>

#include <regex>
#include <set>

namespace halfstep::test {
namespace {

using Json = nlohmann::json;
using app::Dates;

std::vector<app::DatePair> many_dates(bool held_out) {
  RandomStream random(7);
  std::vector<app::DatePair> pairs(2000);
  for (app::DatePair& pair : pairs) pair = Dates::draw(held_out, random);
  return pairs;
}

TEST(Dates, AreIsoDatesOfTheYearsThatTwoDigitsName) {
  const std::regex iso("(19[5-9][0-9]|20[0-4][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])");
  for (const app::DatePair& pair : many_dates(false)) {
    EXPECT_TRUE(std::regex_match(pair.iso, iso)) << pair.iso;
    EXPECT_EQ(static_cast<std::int64_t>(app::iso_alphabet.encode(pair.iso).size()),
              app::iso_length);
    EXPECT_EQ(app::written_alphabet.encode(pair.written).size(), pair.written.size());
  }
}

TEST(Dates, SayWhatTheyAreWrittenAs) {
  // One of the ways, without a weekday: "03/31/1998" is month, day, year; "98" is within the years.
  const std::regex american("([0-9]+)/([0-9]+)/([0-9]+)");
  const auto two = [](const std::string& text) { return (text.size() < 2 ? "0" : "") + text; };
  int found = 0;
  for (const app::DatePair& pair : many_dates(false)) {
    std::smatch match;
    if (!std::regex_match(pair.written, match, american)) continue;
    ++found;
    const std::string year = match[3].str();
    const std::string whole = year.size() == 4 ? year : (year < "50" ? "20" : "19") + year;
    EXPECT_EQ(pair.iso, whole + "-" + two(match[1]) + "-" + two(match[2])) << pair.written;
  }
  EXPECT_GT(found, 50);
}

TEST(Dates, OfDaysThatAreHeldOutAreNeverTrainedOn) {
  std::set<std::string> trained;
  for (const app::DatePair& pair : many_dates(false)) trained.insert(pair.iso);
  for (const app::DatePair& pair : many_dates(true)) EXPECT_EQ(trained.count(pair.iso), 0u);
}

class Translate : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("translate")) GTEST_SKIP() << not_built;
  }
  void expect_refused(const std::string& arguments, int code,
                      const std::vector<std::string>& fragments) {
    expect_refusal("translate", arguments, code, fragments, folder);
  }

  Folder folder;
};

TEST_F(Translate, LearnsInEveryPrecision) {
  const Ran ran = run("translate",
                      "--width 32 --batch 16 --steps 500 --learning-rate 0.01 --dropout 0 "
                      "--precision all,fp16_without_scaling --sample 2 --date '3 May 1998' "
                      "--json lines.json",
                      folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.error, "");
  const std::string text = contents(folder / "lines.json");
  ASSERT_EQ(events(text, "run").size(), 1u);
  EXPECT_EQ(events(text, "run")[0].at("held_out_dates"), 2000);
  const auto results = events(text, "result");
  ASSERT_EQ(results.size(), 6u);
  for (const Json& result : results) {
    // Who reads nothing knows of 36,525 days none better than another: ln 36525 / 10 characters is
    // 1.05, and no date in a thousand is right.
    EXPECT_LT(result.at("validation_loss"), 0.5) << result;
    EXPECT_GT(result.at("exact_match"), 0.2) << result;
    for (const char* key : {"samples_per_second", "median_step_ms", "activation_bytes"})
      EXPECT_GT(result.at(key), 0.0) << key;
    EXPECT_EQ(result.size(), 15u) << "keys beyond those that are documented: " << result;
  }
  ASSERT_EQ(events(text, "translation").size(), 6u * 3u);
  EXPECT_EQ(events(text, "translation")[2].at("written"), "3 May 1998");
  EXPECT_EQ(events(text, "translation")[2].at("translation").get<std::string>().size(), 10u);
}

TEST_F(Translate, DoesTheSameEachTime) {
  const auto loss = [&](const std::string& seed) {
    const Ran ran = run("translate",
                        "--width 16 --batch 4 --steps 3 --precision mixed_fp16 --sample 0 --json - "
                        "--seed " +
                            seed,
                        folder);
    EXPECT_EQ(ran.code, 0) << ran.error;
    const auto results = events(ran.out, "result");
    return results.empty() ? 0.0 : results[0].at("validation_loss").get<double>();
  };
  const double once = loss("1");
  EXPECT_EQ(loss("1"), once);
  EXPECT_NE(loss("2"), once);
}

TEST_F(Translate, SaysWhatIsWrong) {
  expect_refused("--preset huge", 2, {"--preset", "huge", "small"});
  expect_refused("--precision fp12", 2, {"--precision", "fp12"});
  expect_refused("--width 33", 2, {"--width 33", "even"});
  expect_refused("--steps 0", 2, {"--steps"});
  expect_refused("--backend reference", 1, {"reference", "onednn", "eigen"});
  expect_refused("--date '3. März 1998'", 1, {"3. M", "character"});
}

}  // namespace
}  // namespace halfstep::test
