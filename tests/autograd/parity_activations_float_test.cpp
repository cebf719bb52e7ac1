#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(ActivationParity, FloatOnReference) {
  expect_dense_parity<float, backend::Reference, Dense::activations>();
}
TEST(ActivationParity, FloatOnEigen) {
  expect_dense_parity<float, backend::Eigen, Dense::activations>();
}
#if defined(HALFSTEP_ONEDNN)
TEST(ActivationParity, FloatOnOneDnn) {
  expect_dense_parity<float, backend::OneDnn, Dense::activations>();
}
#endif

}  // namespace
}  // namespace halfstep::test
