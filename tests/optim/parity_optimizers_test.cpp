#include "optimizer_parity.hpp"

namespace halfstep::test {
namespace {

TEST(ParityOptimizers, EveryCaseFollowsPyTorchsTrajectory) {
  expect_optimizer_parity<backend::Reference, backend::Default>();
}

}  // namespace
}  // namespace halfstep::test
