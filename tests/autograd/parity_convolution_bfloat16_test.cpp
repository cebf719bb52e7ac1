#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/convolution_parity.hpp"

namespace halfstep::test {
namespace {

TEST(ConvolutionParity, Bfloat16OnReference) {
  expect_convolution_parity<bfloat16, backend::Reference>();
}
TEST(ConvolutionParity, Bfloat16OnEigen) { expect_convolution_parity<bfloat16, backend::Eigen>(); }
#if defined(HALFSTEP_ONEDNN)
TEST(ConvolutionParity, Bfloat16OnOneDnn) {
  expect_convolution_parity<bfloat16, backend::OneDnn>();
}
#endif

}  // namespace
}  // namespace halfstep::test
