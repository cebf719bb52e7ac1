#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/normalization_parity.hpp"

namespace halfstep::test {
namespace {

TEST(NormalizationParity, Float16OnReference) {
  expect_normalization_parity<float16, backend::Reference>();
}
TEST(NormalizationParity, Float16OnEigen) {
  expect_normalization_parity<float16, backend::Eigen>();
}
#if defined(HALFSTEP_ONEDNN)
TEST(NormalizationParity, Float16OnOneDnn) {
  expect_normalization_parity<float16, backend::OneDnn>();
}
#endif

}  // namespace
}  // namespace halfstep::test
