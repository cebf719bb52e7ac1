#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(AttentionParity, Bfloat16OnReference) {
  expect_dense_parity<bfloat16, backend::Reference, Dense::attention>();
}
TEST(AttentionParity, Bfloat16OnEigen) {
  expect_dense_parity<bfloat16, backend::Eigen, Dense::attention>();
}
#if defined(HALFSTEP_ONEDNN)
TEST(AttentionParity, Bfloat16OnOneDnn) {
  expect_dense_parity<bfloat16, backend::OneDnn, Dense::attention>();
}
#endif

}  // namespace
}  // namespace halfstep::test
