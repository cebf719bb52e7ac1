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

/// A backend that knows how it does its work best here, as Cublas does.
struct Planned : backend::Reference {
  static inline std::vector<std::int64_t> plans;
  template <class Visitor>
  static void visit_plans(Visitor&& visitor) {
    const Shape shape{static_cast<Index>(plans.size())};
    auto tensor = Tensor<std::int64_t>::from(plans, shape);
    visitor(std::string("table"), tensor);
    plans.assign(tensor.span().begin(), tensor.span().end());
  }
};

template <class Backend>
struct PlannedRun {
  using S = Setup<MixedFp16, Backend>;
  SmallNet<S> net;
  Trainer<SmallNet<S>, optim::AdamW> trainer{net, rule};
  PlannedRun() { trainer.step(small_batch<S>(0), small_loss); }
};

TEST_F(Checkpoint, KeepsTheBackendsPlansWhichARunCanDoWithout) {
  const std::string with = path("with"), without = path("without");
  PlannedRun<Planned> run;
  PlannedRun<backend::Reference> plain;
  Planned::plans = {3, 1, 4};
  io::save_checkpoint(run.trainer, with);
  io::save_checkpoint(plain.trainer, without);
  for (const auto& before : {std::vector<std::int64_t>{}, {2, 7, 1}, {2, 7, 1, 8}}) {
    Planned::plans = before;
    io::load_checkpoint(run.trainer, with);
    EXPECT_EQ(Planned::plans, (std::vector<std::int64_t>{3, 1, 4}));
  }
  io::load_checkpoint(run.trainer, without);
  EXPECT_EQ(Planned::plans.size(), 3u) << "a file without plans leaves them";
  io::load_checkpoint(plain.trainer, with);
  EXPECT_EQ(all_state(plain.trainer).size() + 1, all_state(run.trainer).size());
}

}  // namespace
}  // namespace halfstep::test
