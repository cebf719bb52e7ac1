#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(ActivationParity, Float16OnReference) {
  expect_dense_parity<float16, backend::Reference, Dense::activations>();
}
TEST(ActivationParity, Float16OnEigen) {
  expect_dense_parity<float16, backend::Eigen, Dense::activations>();
}
#if defined(HALFSTEP_ONEDNN)
TEST(ActivationParity, Float16OnOneDnn) {
  expect_dense_parity<float16, backend::OneDnn, Dense::activations>();
}
#endif

}  // namespace
}  // namespace halfstep::test
