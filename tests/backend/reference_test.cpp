#include <halfstep/backend/reference.hpp>

#include <gtest/gtest.h>

#include "gemm_checks.hpp"

namespace hs = halfstep;
using hs::bfloat16;
using hs::float16;
using B = hs::backend::Reference;

namespace gemm_checks {
using Cases = testing::Types<Case<B, float, float, float>, Case<B, double, double, double>,
                             Case<B, float16, float, float16>, Case<B, bfloat16, float, float>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Reference, Gemm, Cases);
}  // namespace gemm_checks

TEST(Reference, SixteenBitAccumulatorsStall) {
  // 2048 + 1 is a tie that float16 rounds to even, back to 2048; bfloat16's first is 256 + 1.
  EXPECT_EQ((gemm_checks::sum_of_ones<B, float16, float16, float16>(4096)), 2048.0);
  EXPECT_EQ((gemm_checks::sum_of_ones<B, bfloat16, bfloat16, bfloat16>(4096)), 256.0);
}

TEST(Reference, HasTheProductsItSays) {
  EXPECT_TRUE(hs::Backend<B>);
  EXPECT_TRUE((B::has_gemm<float16, double, double>));
  EXPECT_FALSE((B::has_gemm<float16, bfloat16, float16>));
  EXPECT_FALSE((B::has_gemm<double, float, double>));
  EXPECT_FALSE((B::has_gemm<float, bool, float>));  // any tag that it does not know
}

TEST(Reference, AveragesOverTheMiddleAxis) {
  const std::vector<float16> x{float16(1), float16(2),  float16(3),  float16(4),
                               float16(5), float16(6),  float16(7),  float16(8),
                               float16(9), float16(10), float16(11), float16(12)};
  std::vector<float> mean(4, 100.0f);
  B::reduce<hs::Reduction::sum>(
      {.outer = 2, .reduced = 3, .inner = 2, .scale = 1.0 / 3.0},
      [](const auto& value) { return value; }, mean.data(), x.data());
  EXPECT_EQ(mean, (std::vector<float>{3, 4, 9, 10}));
}

TEST(Reference, CrossEntropyOfEqualLogitsIsTheLogarithmOfTheClasses) {
  const std::vector<float> logits(8, 3.0f);
  const std::vector<std::int32_t> target{2, -100};
  std::vector<float> loss(2), log_sum(2), gradient(8);
  B::cross_entropy(2, 4, {}, logits.data(), target.data(), loss.data(), log_sum.data());
  EXPECT_FLOAT_EQ(loss[0], std::log(4.0f));
  EXPECT_EQ(loss[1], 0.0f);
  const float factor = 2.0f;
  B::cross_entropy_backward(2, 4, {}, logits.data(), target.data(), log_sum.data(), &factor,
                            gradient.data(), false);
  for (int j = 0; j < 4; ++j) {
    EXPECT_FLOAT_EQ(gradient[static_cast<std::size_t>(j)], j == 2 ? -1.5f : 0.5f);
    EXPECT_EQ(gradient[static_cast<std::size_t>(4 + j)], 0.0f);
  }
}

TEST(Reference, RefusesIndicesAndTargetsOutOfRange) {
  const std::vector<float> x(8);
  std::vector<float> out(8), other(8);
  const std::vector<std::int32_t> index{0, 4};
  EXPECT_THROW(B::gather_rows(2, 2, 4, x.data(), index.data(), out.data()), hs::DataError);
  EXPECT_THROW(B::scatter_add_rows(2, 2, 4, x.data(), index.data(), out.data()), hs::DataError);
  EXPECT_THROW(B::cross_entropy(2, 4, {}, x.data(), index.data(), out.data(), other.data()),
               hs::DataError);
}
