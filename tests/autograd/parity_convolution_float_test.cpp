#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/convolution_parity.hpp"

namespace halfstep::test {
namespace {

TEST(ConvolutionParity, FloatOnReference) {
  expect_convolution_parity<float, backend::Reference>();
}
TEST(ConvolutionParity, FloatOnEigen) { expect_convolution_parity<float, backend::Eigen>(); }
#if defined(HALFSTEP_ONEDNN)
TEST(ConvolutionParity, FloatOnOneDnn) { expect_convolution_parity<float, backend::OneDnn>(); }
#endif

}  // namespace
}  // namespace halfstep::test
