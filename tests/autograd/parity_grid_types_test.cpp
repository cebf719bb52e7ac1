// The kernels of a GPU, run on the host, in every storage type within the bounds of all backends.
#include <halfstep/backend/grid/host_grid.hpp>

#include "support/kernel_parity.hpp"

namespace halfstep::test {
namespace {

using backend::HostGrid;
using Types = testing::Types<ParityCase<HostGrid, float>, ParityCase<HostGrid, float16>,
                             ParityCase<HostGrid, bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheHost, Kernels, Types);

}  // namespace
}  // namespace halfstep::test
