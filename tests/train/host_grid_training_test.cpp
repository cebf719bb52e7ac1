// Training on a GPU's kernels, which run on the host.
#include <halfstep/backend/grid/host_grid.hpp>

#include "kernel_training_checks.hpp"

namespace halfstep::test {
namespace {

using Backends = testing::Types<backend::HostGrid>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheHost, KernelTraining, Backends);

}  // namespace
}  // namespace halfstep::test
