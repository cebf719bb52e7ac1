#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/dense_parity.hpp"

namespace halfstep::test {
namespace {

TEST(DenseParity, FloatOnReference) {
  expect_dense_parity<float, backend::Reference, Dense::others>();
}
TEST(DenseParity, FloatOnEigen) { expect_dense_parity<float, backend::Eigen, Dense::others>(); }
#if defined(HALFSTEP_ONEDNN)
TEST(DenseParity, FloatOnOneDnn) { expect_dense_parity<float, backend::OneDnn, Dense::others>(); }
#endif

}  // namespace
}  // namespace halfstep::test
