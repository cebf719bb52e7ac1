#include <halfstep/backend/reference.hpp>
#include <halfstep/precision/with_precision.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <string>

#include "data_paths.hpp"

namespace {

using namespace halfstep;

struct Tensorless {
  static constexpr std::string_view name = "tensorless";
  template <class In, class Compute, class Out>
  static constexpr bool has_gemm = std::same_as<In, float>&& std::same_as<Compute, float>;
};

std::string chosen(std::string_view name) {
  std::string policy;
  with_precision<backend::Reference>(name, [&](auto chosen) { policy = chosen.name; });
  return policy;
}

TEST(WithPrecision, FindsEveryPolicyByItsName) {
  for (const char* name : {"fp32", "mixed_fp16", "mixed_bf16", "pure_fp16", "pure_bf16"})
    EXPECT_EQ(chosen(name), name);
}

TEST(WithPrecision, KnowsTheNamesOfOtherFrameworks) {
  EXPECT_EQ(chosen("16-mixed"), "mixed_fp16");
  EXPECT_EQ(chosen("bf16-mixed"), "mixed_bf16");
  EXPECT_EQ(chosen("mixed_float16"), "mixed_fp16");
  EXPECT_EQ(chosen("mixed_bfloat16"), "mixed_bf16");
  EXPECT_EQ(chosen("32-true"), "fp32");
  EXPECT_EQ(chosen("bf16-true"), "pure_bf16");
  EXPECT_EQ(chosen("float16"), "pure_fp16") << "Keras's policy without masters";
  EXPECT_EQ(chosen("O2"), "mixed_fp16");
}

TEST(WithPrecision, TakesAShortNameForTheMixedPolicy) {
  EXPECT_EQ(chosen("fp16"), "mixed_fp16");
  EXPECT_EQ(chosen("bf16"), "mixed_bf16");
  EXPECT_EQ(chosen("16"), "mixed_fp16");
}

TEST(WithPrecision, KnowsEachNameOnceAndNoPolicyThatIsNotThere) {
  for (std::size_t i = 0; i < std::size(precision_names); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(precision_names[i][0], precision_names[j][0]);
    EXPECT_EQ(canonical_precision(precision_names[i][1]), precision_names[i][1]);
  }
}

TEST(WithPrecision, KnowsTheNamesThatItsPageSays) {
  // Rows of the page's first table: | `Policy` | `name` | PyTorch | Keras | Lightning | Apex | ...
  // |
  std::ifstream page(test::source_folder() / "docs/precision_terms.md");
  const std::regex row(R"(\| `\w+` \| `(\w+)` \| [^|]*\|(.*))"), word("`-*([^`]+)`");
  int names = 0;
  for (std::string line; std::getline(page, line);) {
    std::smatch cells;
    if (!std::regex_match(line, cells, row)) continue;
    const std::string others = cells[2];
    for (std::sregex_iterator at(others.begin(), others.end(), word), end; at != end; ++at, ++names)
      EXPECT_EQ(canonical_precision(at->str(1)), cells[1].str()) << at->str(1);
  }
  // Keras has five names, Lightning five, Apex four, Megatron two.
  EXPECT_EQ(names, 16);
}

TEST(WithPrecision, SaysWhichNamesThereAreWhenOneIsUnknown) {
  try {
    chosen("fp13");
    FAIL() << "fp13 is no precision";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("'fp13' is unknown"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("mixed_bf16"), std::string::npos);
  }
}

TEST(WithPrecision, RefusesAKnownNameThatTheBackendLacks) {
  EXPECT_THROW(chosen("tf32"), PrecisionError);
  EXPECT_THROW(with_precision<Tensorless>("mixed_fp16", [](auto) {}), PrecisionError);
}

TEST(WithPrecision, InstantiatesOnlyWhatTheBackendHas) {
  int calls = 0;
  with_precision<Tensorless>("fp32", [&](auto policy) {
    static_assert(std::same_as<decltype(policy), Fp32>,
                  "the only policy in 32 bits of this backend");
    ++calls;
  });
  EXPECT_EQ(calls, 1);
}

}  // namespace
