#include "scaler_trace_checks.hpp"

#include <halfstep/backend/grid/host_grid.hpp>

namespace halfstep::test {
namespace {

using Backends = testing::Types<backend::Reference, backend::HostGrid>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheHost, ParityLossScaler, Backends);

}  // namespace
}  // namespace halfstep::test
