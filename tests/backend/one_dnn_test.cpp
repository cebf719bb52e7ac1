#include <gtest/gtest.h>

#if defined(HALFSTEP_ONEDNN)

#include <halfstep/backend/one_dnn.hpp>

#include "gemm_checks.hpp"

namespace hs = halfstep;
using hs::bfloat16;
using hs::float16;
using B = hs::backend::OneDnn;

namespace gemm_checks {
using Cases = testing::Types<Case<B, float, float, float>, Case<B, float16, float, float16>,
                             Case<B, float16, float, float>, Case<B, bfloat16, float, bfloat16>,
                             Case<B, bfloat16, float, float>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OneDnn, Gemm, Cases);
}  // namespace gemm_checks

TEST(OneDnn, HasNoProductThatItCannotDo) {
  EXPECT_TRUE(hs::Backend<B>);
  EXPECT_FALSE((B::has_gemm<double, double, double>));
  EXPECT_FALSE((B::has_gemm<float16, float16, float16>));
  EXPECT_FALSE((B::has_gemm<float, float, float16>));
  EXPECT_FALSE((B::has_gemm<float, bool, float>));  // any tag that it does not know
}

TEST(OneDnn, TakesAFloatBiasFor16BitOperands) {
  const std::vector<bfloat16> ones(4, bfloat16(1.0f));
  const std::vector<float> bias{0.25f, 0.5f};
  std::vector<float> c(4);
  B::gemm<float>({.m = 2, .n = 2, .k = 2}, ones.data(), ones.data(), c.data(), bias.data());
  EXPECT_EQ(c, (std::vector<float>{2.25f, 2.5f, 2.25f, 2.5f}));
}

TEST(OneDnn, MakesAPlanOncePerShape) {
  auto& cache = hs::backend::one_dnn::PlanCache<hs::backend::one_dnn::MatmulPlan>::of_this_thread();
  const std::vector<float> x(36, 1.0f);
  std::vector<float> c(36);
  const float* const no_bias = nullptr;
  const auto multiply = [&](hs::Index m) {
    B::gemm<float>({.m = m, .n = 6, .k = 6}, x.data(), x.data(), c.data(), no_bias);
  };
  multiply(6);
  const std::size_t before = cache.size();
  multiply(6);
  multiply(6);
  EXPECT_EQ(cache.size(), before);
  multiply(5);
  EXPECT_EQ(cache.size(), before + 1);
}

#else

TEST(OneDnn, IsNotInThisBuild) { GTEST_SKIP() << "halfstep::onednn is not linked"; }

#endif
