// The kernels of a GPU, run on the host, against PyTorch.
#include <halfstep/backend/grid/host_grid.hpp>

#include "support/kernel_parity_in_double.hpp"

namespace halfstep::test {
namespace {

using Backends = testing::Types<backend::HostGrid>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheHost, KernelsInDouble, Backends);

}  // namespace
}  // namespace halfstep::test
