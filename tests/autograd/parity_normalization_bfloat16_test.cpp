#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/normalization_parity.hpp"

namespace halfstep::test {
namespace {

TEST(NormalizationParity, Bfloat16OnReference) {
  expect_normalization_parity<bfloat16, backend::Reference>();
}
TEST(NormalizationParity, Bfloat16OnEigen) {
  expect_normalization_parity<bfloat16, backend::Eigen>();
}
#if defined(HALFSTEP_ONEDNN)
TEST(NormalizationParity, Bfloat16OnOneDnn) {
  expect_normalization_parity<bfloat16, backend::OneDnn>();
}
#endif

}  // namespace
}  // namespace halfstep::test
