// Several losses, models and optimizers under one scaler, and GradScaler's own traces, on a GPU: a
// round waits for nothing.
#include "loss_scaler_checks.hpp"
#include "scaler_trace_checks.hpp"
#include "support/cuda_device.hpp"

namespace halfstep::test {
namespace {

using Backends = testing::Types<backend::Cublas>;
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, LossScalerOn, Backends);
INSTANTIATE_TYPED_TEST_SUITE_P(OnTheGpu, ParityLossScaler, Backends);

}  // namespace
}  // namespace halfstep::test
