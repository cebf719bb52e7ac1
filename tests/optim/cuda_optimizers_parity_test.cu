// The optimizers' passes on a GPU against PyTorch.
#include "optimizer_parity.hpp"
#include "support/cuda_device.hpp"

namespace halfstep::test {
namespace {

class CudaParityOptimizers : public BackendTest<backend::Cublas> {};

TEST_F(CudaParityOptimizers, EveryCaseFollowsPyTorchsTrajectory) {
  expect_optimizer_parity<backend::Cublas, backend::Cublas>();
}

}  // namespace
}  // namespace halfstep::test
