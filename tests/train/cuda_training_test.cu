// Training on a GPU.
#include "kernel_training_checks.hpp"
#include "support/cuda_device.hpp"

namespace halfstep::test {
namespace {

using Backends = testing::Types<backend::Cublas>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, KernelTraining, Backends);

}  // namespace
}  // namespace halfstep::test
