// Steps as CUDA graphs.
#include "step_graphs_checks.hpp"
#include "support/cuda_device.hpp"

namespace halfstep::test {
namespace {

using Backends = testing::Types<backend::Cublas>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, StepGraphsTraining, Backends);

}  // namespace
}  // namespace halfstep::test
