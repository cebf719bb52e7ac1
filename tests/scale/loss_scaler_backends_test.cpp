// Several losses, models and optimizers under one scaler, on every backend of this machine. On the
// test device a round that waited for the device, or read it from the host, fails.
#include "loss_scaler_checks.hpp"

#include <halfstep/backend/grid/host_grid.hpp>
#include <halfstep/backend/test_device.hpp>

namespace halfstep::test {
namespace {

struct BackendName {
  template <class B>
  static std::string GetName(int) {
    return std::string(B::name) + (std::is_same_v<B, backend::Default> ? "_default" : "");
  }
};
using Backends =
    testing::Types<backend::Reference, backend::Default, backend::Delayed, backend::HostGrid>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheHost, LossScalerOn, Backends, BackendName);

}  // namespace
}  // namespace halfstep::test
