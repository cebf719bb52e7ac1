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
TEST_F(CudaTrainingParityInBf16, MixedBf16StaysAsNearAsAutocast) {
  expect_within_autocast<MixedBf16, B>();
  expect_cnn_within_autocast<MixedBf16, B>();
}

}  // namespace
}  // namespace halfstep::test
