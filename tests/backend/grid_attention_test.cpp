// Attention in a GPU's kernels, run on the host.
#include <halfstep/backend/grid/host_grid.hpp>

#include "attention_checks.hpp"

namespace attention_checks {
using halfstep::backend::HostGrid;
using numbers::Case;
using Cases = testing::Types<Case<HostGrid, float>, Case<HostGrid, halfstep::float16>,
                             Case<HostGrid, halfstep::bfloat16>>;
INSTANTIATE_TYPED_TEST_SUITE_P(HostGrid, Attention, Cases);
}  // namespace attention_checks
