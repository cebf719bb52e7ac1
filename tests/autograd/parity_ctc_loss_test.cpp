#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/ctc_parity.hpp"

namespace halfstep::test {
namespace {

TEST(CtcLossParity, InDoubleTheReferenceEqualsPyTorch) {
  expect_ctc_equals_pytorch<backend::Reference>();
}

template <class B>
void expect_parity_on() {
  expect_ctc_parity<float, B>();
  expect_ctc_parity<float16, B>();
  expect_ctc_parity<bfloat16, B>();
}

TEST(CtcLossParity, OnReference) { expect_parity_on<backend::Reference>(); }
TEST(CtcLossParity, OnEigen) { expect_parity_on<backend::Eigen>(); }
#if defined(HALFSTEP_ONEDNN)
TEST(CtcLossParity, OnOneDnn) { expect_parity_on<backend::OneDnn>(); }
#endif

}  // namespace
}  // namespace halfstep::test
