#include <halfstep/backend/default.hpp>

#include "cnn_losses.hpp"

namespace halfstep::test {
namespace {

using B = backend::Default;

TEST(CnnTrainingParity, Fp32FollowsPytorchsFp64LossesAtEveryStep) {
  expect_fp32_cnn_follows_fp64<B>();
}
TEST(CnnTrainingParity, MixedBf16StaysAsNearAsAutocast) {
  expect_cnn_within_autocast<MixedBf16, B>();
}
TEST(CnnTrainingParity, MixedFp16StaysAsNearAsAutocast) {
  expect_cnn_within_autocast<MixedFp16, B>();
}

}  // namespace
}  // namespace halfstep::test
