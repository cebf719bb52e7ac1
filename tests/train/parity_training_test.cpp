#include <halfstep/backend/default.hpp>

#include "training_losses.hpp"

namespace halfstep::test {
namespace {

using B = backend::Default;

TEST(TrainingParity, Fp32FollowsPytorchsFp64LossesAtEveryStep) { expect_fp32_follows_fp64<B>(); }
TEST(TrainingParity, MixedBf16StaysAsNearAsAutocast) { expect_within_autocast<MixedBf16, B>(); }
TEST(TrainingParity, MixedFp16StaysAsNearAsAutocast) { expect_within_autocast<MixedFp16, B>(); }

}  // namespace
}  // namespace halfstep::test
