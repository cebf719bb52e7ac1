#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(AttentionParity, FloatOnReference) {
  expect_dense_parity<float, backend::Reference, Dense::attention>();
}
TEST(AttentionParity, FloatOnEigen) {
  expect_dense_parity<float, backend::Eigen, Dense::attention>();
}
#if defined(HALFSTEP_ONEDNN)
TEST(AttentionParity, FloatOnOneDnn) {
  expect_dense_parity<float, backend::OneDnn, Dense::attention>();
}
#endif

}  // namespace
}  // namespace halfstep::test
