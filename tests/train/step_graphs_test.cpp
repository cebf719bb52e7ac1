// Steps as graphs, of a GPU's kernels that run on the host.
#include <halfstep/backend/grid/host_grid.hpp>

#include "step_graphs_checks.hpp"

namespace halfstep::test {
namespace {

using Backends = testing::Types<backend::HostGrid>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheHost, StepGraphsTraining, Backends);

}  // namespace
}  // namespace halfstep::test
