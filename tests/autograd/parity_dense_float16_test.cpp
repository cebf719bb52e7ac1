#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(DenseParity, Float16OnReference) {
  expect_dense_parity<float16, backend::Reference, Dense::others>();
}
TEST(DenseParity, Float16OnEigen) { expect_dense_parity<float16, backend::Eigen, Dense::others>(); }
#if defined(HALFSTEP_ONEDNN)
TEST(DenseParity, Float16OnOneDnn) {
  expect_dense_parity<float16, backend::OneDnn, Dense::others>();
}
#endif

}  // namespace
}  // namespace halfstep::test
