#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(DenseParity, Bfloat16OnReference) {
  expect_dense_parity<bfloat16, backend::Reference, Dense::others>();
}
TEST(DenseParity, Bfloat16OnEigen) {
  expect_dense_parity<bfloat16, backend::Eigen, Dense::others>();
}
#if defined(HALFSTEP_ONEDNN)
TEST(DenseParity, Bfloat16OnOneDnn) {
  expect_dense_parity<bfloat16, backend::OneDnn, Dense::others>();
}
#endif

}  // namespace
}  // namespace halfstep::test
