// Networks trained on a GPU against PyTorch's losses.
#include "cnn_losses.hpp"
#include "support/cuda_device.hpp"
#include "training_losses.hpp"

namespace halfstep::test {
namespace {

using B = backend::Cublas;
class CudaTrainingParity : public BackendTest<B> {};
class CudaTrainingParityInBf16 : public BackendTest<B, bfloat16> {};

TEST_F(CudaTrainingParity, Fp32FollowsPytorchsFp64LossesAtEveryStep) {
  expect_fp32_follows_fp64<B>();
  expect_fp32_cnn_follows_fp64<B>();
}
TEST_F(CudaTrainingParity, MixedFp16StaysAsNearAsAutocast) {
  expect_within_autocast<MixedFp16, B>();
  expect_cnn_within_autocast<MixedFp16, B>();
}
/// A program that is compiled for GPUs without BF16 alone refuses it.
template <class Policy>
void expect_parity_where_it_compiles() {
  if constexpr (has_precision<B, Policy>) {
    expect_within_autocast<Policy, B>();
    expect_cnn_within_autocast<Policy, B>();
  } else {
    GTEST_SKIP() << "this test is compiled for GPUs that have no " << Policy::name;
  }
}
TEST_F(CudaTrainingParityInBf16, MixedBf16StaysAsNearAsAutocast) {
  expect_parity_where_it_compiles<MixedBf16>();
}

}  // namespace
}  // namespace halfstep::test
