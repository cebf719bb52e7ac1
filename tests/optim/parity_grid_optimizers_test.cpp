// The optimizers' passes as kernels of a GPU, run on the host, against PyTorch.
#include "optimizer_parity.hpp"

#include <halfstep/backend/grid/host_grid.hpp>

namespace halfstep::test {
namespace {

TEST(GridParityOptimizers, EveryCaseFollowsPyTorchsTrajectory) {
  expect_optimizer_parity<backend::HostGrid, backend::HostGrid>();
}

}  // namespace
}  // namespace halfstep::test
