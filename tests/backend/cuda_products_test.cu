// Products and convolutions keep the bounds of all backends on a GPU, whose tensor cores truncate.
#include "convolution_checks.hpp"
#include "epilogue_checks.hpp"
#include "gemm_checks.hpp"
#include "support/cuda_device.hpp"

namespace hs = halfstep;
using hs::bfloat16;
using hs::float16;
using B = hs::backend::Cublas;

namespace gemm_checks {
using Cases = testing::Types<Case<B, float, float, float>, Case<B, float, hs::tf32, float>,
                             Case<B, double, double, double>, Case<B, float16, float, float16>,
                             Case<B, float16, float, float>, Case<B, bfloat16, float, bfloat16>,
                             Case<B, bfloat16, float, float>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, Gemm, Cases);
}  // namespace gemm_checks

namespace convolution_checks {
using Cases = testing::Types<Case<B, float>, Case<B, double>, Case<B, float16>, Case<B, bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, Convolution, Cases);
}  // namespace convolution_checks

namespace epilogue_checks {
using Cases = testing::Types<Case<B, float>, Case<B, double>, Case<B, float16>, Case<B, bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, Epilogues, Cases);
}  // namespace epilogue_checks

TEST(Cublas, HasNoProductThatItCannotDo) {
  EXPECT_TRUE(hs::Backend<B>);
  EXPECT_FALSE((B::has_gemm<float16, float16, float16>));
  EXPECT_FALSE((B::has_gemm<float, float, float16>));
  EXPECT_FALSE((B::has_gemm<float16, hs::tf32, float16>));
  EXPECT_FALSE((B::has_gemm<float, bool, float>));  // any tag that it does not know
}
