#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/normalization_parity.hpp"

namespace halfstep::test {
namespace {

TEST(NormalizationParity, FloatOnReference) {
  expect_normalization_parity<float, backend::Reference>();
}
TEST(NormalizationParity, FloatOnEigen) { expect_normalization_parity<float, backend::Eigen>(); }
#if defined(HALFSTEP_ONEDNN)
TEST(NormalizationParity, FloatOnOneDnn) { expect_normalization_parity<float, backend::OneDnn>(); }
#endif

}  // namespace
}  // namespace halfstep::test
