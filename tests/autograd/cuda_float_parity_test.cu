// Every layer in float on a GPU, within the bounds of all backends.
#include "support/cuda_device.hpp"
#include "support/kernel_parity.hpp"

namespace halfstep::test {
namespace {

using Types = testing::Types<ParityCase<backend::Cublas, float>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, Kernels, Types);

}  // namespace
}  // namespace halfstep::test
