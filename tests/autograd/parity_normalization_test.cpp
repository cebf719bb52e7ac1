#include "support/normalization_parity.hpp"

namespace halfstep::test {
namespace {

TEST(NormalizationParity, InDoubleTheReferenceEqualsPyTorch) {
  expect_normalization_equals_pytorch<backend::Reference>();
}

}  // namespace
}  // namespace halfstep::test
