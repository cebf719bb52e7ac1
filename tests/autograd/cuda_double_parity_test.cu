// Every layer in double on a GPU against PyTorch.
#include "support/cuda_device.hpp"
#include "support/kernel_parity_in_double.hpp"

namespace halfstep::test {
namespace {

using Backends = testing::Types<backend::Cublas>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, KernelsInDouble, Backends);

}  // namespace
}  // namespace halfstep::test
