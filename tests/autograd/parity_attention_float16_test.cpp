#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(AttentionParity, Float16OnReference) {
  expect_dense_parity<float16, backend::Reference, Dense::attention>();
}
TEST(AttentionParity, Float16OnEigen) {
  expect_dense_parity<float16, backend::Eigen, Dense::attention>();
}
#if defined(HALFSTEP_ONEDNN)
TEST(AttentionParity, Float16OnOneDnn) {
  expect_dense_parity<float16, backend::OneDnn, Dense::attention>();
}
#endif

}  // namespace
}  // namespace halfstep::test
