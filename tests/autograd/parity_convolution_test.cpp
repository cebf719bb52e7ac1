#include "support/convolution_parity.hpp"

namespace halfstep::test {
namespace {

TEST(ConvolutionParity, InDoubleTheReferenceEqualsPyTorch) {
  expect_convolution_equals_pytorch<backend::Reference>();
}

}  // namespace
}  // namespace halfstep::test
