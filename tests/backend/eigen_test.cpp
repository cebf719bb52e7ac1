#include <halfstep/backend/eigen.hpp>

#include <gtest/gtest.h>

#include "gemm_checks.hpp"

namespace hs = halfstep;
using hs::bfloat16;
using hs::float16;
using B = hs::backend::Eigen;

namespace gemm_checks {
using Cases = testing::Types<Case<B, float, float, float>, Case<B, double, double, double>,
                             Case<B, float16, float, float16>, Case<B, bfloat16, float, bfloat16>,
                             Case<B, bfloat16, float, float>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Eigen, Gemm, Cases);
}  // namespace gemm_checks

TEST(Eigen, HasNoProductThatItCannotDo) {
  EXPECT_TRUE(hs::Backend<B>);
  EXPECT_FALSE((B::has_gemm<float16, float16, float16>));
  EXPECT_FALSE((B::has_gemm<float, float, float16>));
  EXPECT_FALSE((B::has_gemm<float, bool, float>));  // any tag that it does not know
}
