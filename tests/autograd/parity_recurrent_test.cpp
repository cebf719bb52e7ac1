#include <halfstep/backend/eigen.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include "support/recurrent_parity.hpp"

namespace halfstep::test {
namespace {

TEST(RecurrentParity, InDoubleTheReferenceEqualsPyTorch) {
  expect_recurrent_equals_pytorch<backend::Reference>();
}

template <class B>
void expect_parity_on() {
  expect_recurrent_parity<float, B>();
  expect_recurrent_parity<float16, B>();
  expect_recurrent_parity<bfloat16, B>();
}

TEST(RecurrentParity, OnReference) { expect_parity_on<backend::Reference>(); }
TEST(RecurrentParity, OnEigen) { expect_parity_on<backend::Eigen>(); }
#if defined(HALFSTEP_ONEDNN)
TEST(RecurrentParity, OnOneDnn) { expect_parity_on<backend::OneDnn>(); }
#endif

}  // namespace
}  // namespace halfstep::test
