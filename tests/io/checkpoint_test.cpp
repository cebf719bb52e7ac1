#include "data/scratch_folder.hpp"
#include "support/small_training.hpp"

#include <halfstep/io/checkpoint.hpp>
#include <halfstep/io/model_file.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/schedules/cosine.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

struct SplitFp16 : MixedFp16 {
  using Update = update::SplitMaster;
};
struct KahanBf16 : MixedBf16 {
  using Update = update::KahanSum;
};
const optim::AdamW rule{.learning_rate = 0.02};

template <class Policy>
struct TrainingRun {
  using S = OnReference<Policy>;
  SmallNet<S> net;
  Trainer<SmallNet<S>, optim::AdamW> trainer{net, rule, {}, optim::Cosine{.steps = 60}};
  explicit TrainingRun(std::uint64_t seed = 1) { net.initialise(seed); }
  double step(int i) { return trainer.step(small_batch<S>(i), small_loss).loss(); }
};

template <class Policy>
class EveryUpdate : public ScratchFolder {};
using Policies = testing::Types<Fp32, MixedFp16, SplitFp16, KahanBf16, PureFp16, PureBf16>;
TYPED_TEST_SUITE(EveryUpdate, Policies);

TYPED_TEST(EveryUpdate, GoesOnFromACheckpointToTheBit) {
  const std::string path = this->path("run.checkpoint");
  TrainingRun<TypeParam> whole;
  for (int i = 0; i < 6; ++i) whole.step(i);
  io::save_checkpoint(whole.trainer, path);
  const auto saved = all_state(whole.trainer);

  TrainingRun<TypeParam> other(99);
  other.step(0);
  io::load_checkpoint(other.trainer, path);
  EXPECT_EQ(all_state(other.trainer), saved);
  EXPECT_EQ(other.trainer.place(), (data::LoaderPosition{0, 6}));
  for (int i = 6; i < 10; ++i) ASSERT_EQ(whole.step(i), other.step(i)) << i;
  EXPECT_EQ(all_state(whole.trainer), all_state(other.trainer));
}

using Checkpoint = ScratchFolder;

TEST_F(Checkpoint, RefusesWhatIsNotOfThisRunByNameAndChangesNothing) {
  const std::string model = path("model"), run = path("run");
  TrainingRun<MixedFp16> mixed;
  mixed.step(0);
  const auto before = all_state(mixed.trainer);
  const auto refuses = [&](const std::string& file, const std::string& part) {
    const std::string message =
        message_of<Error>([&] { io::load_checkpoint(mixed.trainer, file); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(all_state(mixed.trainer), before);
  };
  io::save(mixed.net, model);
  refuses(model, "is no checkpoint");
  refuses(path("missing"), "missing");

  TrainingRun<Fp32> wide;
  io::save_checkpoint(wide.trainer, run);
  refuses(run, "must be F16");
  TrainingRun<SplitFp16> split;
  io::save_checkpoint(split.trainer, run);
  refuses(run, "/master'");

  io::save_checkpoint(mixed.trainer, run);
  std::string bytes = content_of(run);
  const std::string version = "\"version\":\"1\"";
  bytes.replace(bytes.find(version), version.size(), "\"version\":\"7\"");
  refuses(write("other", bytes), "version '7'");
}

TEST_F(Checkpoint, RefusesALossScaleThatItsSettingsCannotHaveAndChangesNothing) {
  const std::string file = path("run");
  using S = OnReference<MixedFp16>;
  SmallNet<S> high, low;
  Trainer from(high, rule, {}, optim::ConstantRate{}, DynamicLossScaling{.initial_scale = 4096.0});
  Trainer to(low, rule, {}, optim::ConstantRate{},
             DynamicLossScaling{.initial_scale = 8.0, .ceiling = 16.0});
  io::save_checkpoint(from, file);
  const auto before = all_state(to);
  const std::string message = message_of<Error>([&] { io::load_checkpoint(to, file); });
  EXPECT_NE(message.find("scale = 4096"), std::string::npos) << message;
  EXPECT_EQ(all_state(to), before);
}

}  // namespace
}  // namespace halfstep::test
