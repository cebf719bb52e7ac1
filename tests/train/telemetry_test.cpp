#include <halfstep/train/telemetry.hpp>

#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/backend/test_device.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/train/trainer.hpp>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/scratch_folder.hpp"
#include "support/on_device.hpp"
#include "support/samples.hpp"

namespace {

using namespace halfstep;
using Json = nlohmann::json;

template <class S>
struct Batch {
  nn::Input<S> x;
  TensorOf<float, typename S::Backend> y;
};
template <class S>
Batch<S> batch(std::uint64_t seed) {
  using B = typename S::Backend;
  return {test::on_device<B>(test::sample<typename S::Activation>({16, 4}, seed)),
          test::on_device<B>(test::sample<float>({16, 2}, seed + 100))};
}
template <class S>
struct Net : nn::Module<S> {
  nn::Linear<S> hidden{*this, "hidden", 4, 8};
  nn::Linear<S> out{*this, "out", 8, 2};
  auto operator()(const nn::Input<S>& x) const { return out(relu(hidden(x))); }
};
constexpr auto loss = [](const auto& model, const auto& batch) {
  return mse_loss(model(batch.x), batch.y);
};

/// Copies what it is shown, and counts it as a reader would.
template <class T>
struct Recount : autograd::Observer {
  std::map<std::string, std::vector<double>> tensors;  ///< by kind and name

  void result(const autograd::OperationResult& result) override {
    tensors["activation " + result.value.name()] = values(result.value);
  }
  void gradients(const autograd::OperationGradients& written) override {
    for (const auto& gradient : written.gradients)
      tensors["gradient " + gradient.name()] = values(gradient);
  }
  static std::vector<double> values(const autograd::ObservedTensor& tensor) {
    const auto read = [&](auto type) {
      using S = decltype(type);
      const auto* const from = static_cast<const S*>(tensor.address());
      std::vector<double> result;
      for (Index i = 0; i < tensor.shape().size(); ++i)
        result.push_back(storage_cast<double>(from[i]));
      return result;
    };
    return tensor.storage() == numeric_traits<T>::name ? read(T{}) : read(float{});
  }
};

void expect_counts(const train::TensorRecord& record, const std::vector<double>& values,
                   std::int64_t tiny) {
  SCOPED_TRACE(std::string(to_string(record.kind)) + " " + record.name);
  std::map<int, std::int64_t> exponents;
  std::int64_t zeros = 0;
  for (const double value : values)
    if (value == 0.0)
      ++zeros;
    else
      ++exponents[std::ilogb(value)];
  std::map<int, std::int64_t> counted;
  for (int e = record.exponents.first; e <= record.exponents.last(); ++e)
    if (record.exponents.at(e) != 0) counted[e] = record.exponents.at(e);
  EXPECT_EQ(counted, exponents);
  EXPECT_EQ(record.zeros, zeros);
  EXPECT_EQ(record.size, static_cast<std::int64_t>(values.size()));
  EXPECT_EQ(record.infinities + record.nans, 0);
  EXPECT_EQ(record.tiny, tiny);
  EXPECT_EQ(record.smallest, *std::min_element(values.begin(), values.end()));
  EXPECT_EQ(record.largest, *std::max_element(values.begin(), values.end()));
}

template <class Policy>
class TelemetryUnder : public testing::Test {};
using Policies = testing::Types<Fp32, MixedFp16, PureBf16>;
TYPED_TEST_SUITE(TelemetryUnder, Policies);

TYPED_TEST(TelemetryUnder, CountsAWholeStepAsABruteForceCountDoes) {
  using S = halfstep::Setup<TypeParam, backend::Reference>;
  using T = typename S::Parameter;
  Net<S> net;
  net.initialise(1);
  // A rate at which some updates are lost on 16-bit weights.
  Trainer trainer(net, optim::AdamW{.learning_rate = 2e-4});
  trainer.step(batch<S>(1), loss);
  Telemetry telemetry;
  trainer.observe(&telemetry);
  std::vector<std::vector<float>> before;
  for (std::size_t i = 0; i < net.store()->count(); ++i) before.push_back(net.store()->read(i));

  Recount<T> recount;
  {
    const ObserverScope scope(recount);
    trainer.step(batch<S>(2), loss);
  }
  const double scale = trainer.loss_scale();
  std::size_t activations = 0;
  std::size_t gradients = 0;
  std::size_t updates = 0;
  std::int64_t lost = 0;
  for (const train::TensorRecord& record : telemetry.last().tensors) {
    std::vector<double> values;
    std::int64_t tiny = 0;
    if (record.kind == train::TensorKind::update) {
      ++updates;
      const std::size_t at = net.store()->find(record.name);
      const auto after = net.store()->read(at);
      for (std::size_t i = 0; i < after.size(); ++i) {
        const float old = before[at][i];
        values.push_back(static_cast<double>(after[i] - old));
        const double stored = storage_cast<double>(storage_cast<T>(old));
        const double half_an_ulp =
            std::exp2(std::floor(std::log2(std::fabs(stored))) - numeric_traits<T>::digits);
        tiny += values.back() != 0.0 && std::fabs(values.back()) < half_an_ulp;
      }
      lost += tiny;
    } else {
      values = recount.tensors.at(std::string(to_string(record.kind)) + " " + record.name);
      if (record.kind == train::TensorKind::gradient) {
        ++gradients;
        for (double& value : values) {
          value /= scale;
          tiny += value != 0.0 && std::fabs(value) <= 0x1p-25;
        }
      } else {
        ++activations;
      }
    }
    expect_counts(record, values, tiny);
  }
  EXPECT_EQ(activations, 4u) << "two products, relu and the loss";
  EXPECT_EQ(gradients, 3u + 4u) << "of what the loss was computed from, and of the parameters";
  EXPECT_EQ(updates, 4u);
  EXPECT_EQ(activations + gradients, recount.tensors.size());
  // Updates of 2e-4 on weights of 0.1 to 0.5 lie about FP16's half ulp; BF16's are rounded before.
  if (std::is_same_v<T, float16>) {
    EXPECT_GT(lost, 0);
  } else {
    EXPECT_EQ(lost, 0);
  }
}

using F16 = halfstep::Setup<MixedFp16, backend::Reference>;
using F32 = halfstep::Setup<Fp32, backend::Reference>;

TEST(Telemetry, SamplesTheFirstStepAndThenEveryFew) {
  Net<F32> net;
  Trainer trainer(net, optim::AdamW{});
  Telemetry telemetry({.every = 3});
  trainer.observe(&telemetry);
  std::vector<std::int64_t> sampled;
  for (int i = 0; i < 8; ++i) {
    trainer.step(batch<F32>(1), loss);
    if (telemetry.samples() > static_cast<std::int64_t>(sampled.size()))
      sampled.push_back(telemetry.last().step);
  }
  EXPECT_EQ(sampled, (std::vector<std::int64_t>{0, 3, 6}));
  telemetry.start("again");
  EXPECT_EQ(telemetry.samples(), 0);
  trainer.step(batch<F32>(1), loss);
  EXPECT_EQ(telemetry.samples(), 1);
}

TEST(Telemetry, ChangesNoBitOfTraining) {
  const auto weights = [](bool observed) {
    Net<F16> net;
    net.initialise(1);
    Trainer trainer(net, optim::AdamW{});
    Telemetry telemetry({.every = 2});
    if (observed) trainer.observe(&telemetry);
    for (std::uint64_t i = 0; i < 5; ++i) trainer.step(batch<F16>(i), loss);
    std::vector<float> all;
    for (std::size_t i = 0; i < net.store()->count(); ++i)
      for (const float value : net.store()->read(i)) all.push_back(value);
    return all;
  };
  EXPECT_EQ(weights(true), weights(false));
}

TEST(Telemetry, ReadsADeviceThatIsLateAndOnlyInSampledSteps) {
  using D = halfstep::Setup<MixedFp16, backend::Delayed>;
  using H = F16;
  Net<D> there;
  Net<H> here;
  there.initialise(1);
  here.initialise(1);
  Trainer late(there, optim::AdamW{});
  Trainer at_once(here, optim::AdamW{});
  Telemetry of_late({.every = 2});
  Telemetry of_at_once({.every = 2});
  late.observe(&of_late);
  at_once.observe(&of_at_once);
  late.step(batch<D>(1), loss);
  at_once.step(batch<H>(1), loss);
  ASSERT_EQ(of_late.last().tensors.size(), of_at_once.last().tensors.size());
  for (std::size_t i = 0; i < of_late.last().tensors.size(); ++i) {
    EXPECT_EQ(of_late.last().tensors[i].exponents.counts,
              of_at_once.last().tensors[i].exponents.counts);
    EXPECT_EQ(of_late.last().tensors[i].name, of_at_once.last().tensors[i].name);
  }
  const auto ready = batch<D>(2);
  const auto waits = backend::Delayed::synchronizations();
  late.step(ready, loss);
  EXPECT_EQ(backend::Delayed::synchronizations(), waits) << "a step that is not sampled waits";
}

TEST(Telemetry, CountsMicroBatchesTogether) {
  Net<F16> net;
  Trainer trainer(net, optim::AdamW{});
  Telemetry telemetry;
  trainer.observe(&telemetry);
  const std::vector<Batch<F16>> batches{batch<F16>(1), batch<F16>(2), batch<F16>(3)};
  trainer.step_over(batches, loss);
  for (const train::TensorRecord& record : telemetry.last().tensors)
    EXPECT_EQ(record.size, record.shape.size() * (record.kind == train::TensorKind::update ? 1 : 3))
        << record.name;
}

struct TelemetryFile : test::ScratchFolder {};

std::vector<Json> lines_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

TEST_F(TelemetryFile, WritesALineForEachSampledStep) {
  const std::string file = path("run.jsonl");
  Net<F16> net;
  Trainer trainer(net, optim::AdamW{});
  Telemetry telemetry({.every = 2, .file = file});
  telemetry.start("first \"run\"");
  trainer.observe(&telemetry);
  for (std::uint64_t i = 0; i < 3; ++i) trainer.step(batch<F16>(i), loss);
  const std::vector<Json> lines = lines_of(file);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("run"), "first \"run\"");
  EXPECT_EQ(lines[1].at("step"), 2);
  EXPECT_EQ(lines[1].at("loss_scale"), 65536.0);
  EXPECT_EQ(lines[1].at("applied"), true);
  EXPECT_TRUE(lines[1].at("first_non_finite").is_null());
  const Json& tensors = lines[1].at("tensors");
  ASSERT_EQ(tensors.size(), telemetry.last().tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const train::TensorRecord& record = telemetry.last().tensors[i];
    EXPECT_EQ(tensors[i].at("name"), record.name);
    EXPECT_EQ(tensors[i].at("zeros"), record.zeros);
    EXPECT_EQ(tensors[i].at("largest"), record.largest);
    EXPECT_EQ(tensors[i].at("first_exponent"), record.exponents.first);
    EXPECT_EQ(tensors[i].at("exponents").get<std::vector<std::int64_t>>(), record.exponents.counts);
    if (record.kind == train::TensorKind::gradient) {
      EXPECT_EQ(tensors[i].at("flushed"), record.tiny);
      EXPECT_EQ(tensors[i].at("flushed_share"), record.share(record.tiny));
    }
    if (record.kind == train::TensorKind::update) {
      EXPECT_EQ(tensors[i].at("below_half_ulp"), record.tiny);
    }
  }
}

TEST_F(TelemetryFile, NamesWhatWasFirstNotFinite) {
  const std::string file = path("run.jsonl");
  Net<F16> net;
  Trainer trainer(net, optim::AdamW{}, {}, optim::ConstantRate{},
                  DynamicLossScaling{.initial_scale = 16777216.0});
  Telemetry telemetry({.every = 1, .file = file});
  trainer.observe(&telemetry);
  EXPECT_FALSE(trainer.step(batch<F16>(1), loss).applied()) << "2^24 overflows";
  trainer.step(batch<F16>(1), [](const auto& model, const auto& batch) {
    return mse_loss(log(model(batch.x) * 0.0), batch.y);
  });
  const std::vector<Json> lines = lines_of(file);
  ASSERT_EQ(lines.size(), 2u);
  const Json& backward = lines[0].at("first_non_finite");
  EXPECT_EQ(lines[0].at("applied"), false);
  EXPECT_EQ(lines[0].at("skip_reason"), "gradients not finite");
  EXPECT_EQ(backward.at("pass"), "backward");
  EXPECT_EQ(backward.at("operation"), "mse_loss");
  EXPECT_EQ(backward.at("tensor").at("name"), "out.linear");
  EXPECT_GT(backward.at("tensor").at("infinities"), 0);
  const Json& forward = lines[1].at("first_non_finite");
  EXPECT_EQ(forward.at("pass"), "forward");
  EXPECT_EQ(forward.at("operation"), "log");
  EXPECT_TRUE(forward.at("tensor").at("smallest").is_null()) << "no number of it is finite";
  EXPECT_EQ(forward.at("inputs").at(0).at("name"), "*");
  EXPECT_EQ(forward.at("inputs").at(0).at("largest"), 0.0);
  // The loss was infinite.
  EXPECT_TRUE(lines[1].at("loss").is_null());
  EXPECT_EQ(lines[1].at("skip_reason"), "loss not finite");
  for (const Json& tensor : lines[1].at("tensors"))
    if (tensor.at("kind") == "update") {
      EXPECT_EQ(tensor.at("zeros"), tensor.at("size"));
    }
}

TEST(Telemetry, PrintsATableOfWhatItHasSeen) {
  Net<F16> net;
  Trainer trainer(net, optim::AdamW{.learning_rate = 2e-4});
  Telemetry telemetry({.every = 1});
  telemetry.start("mixed_fp16");
  trainer.observe(&telemetry);
  trainer.step(batch<F16>(1), loss);
  trainer.step(batch<F16>(2), loss);
  std::ostringstream out;
  out << telemetry.table();
  std::vector<std::string> lines;
  std::istringstream in(out.str());
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 2u + telemetry.last().tensors.size()) << out.str();
  EXPECT_EQ(lines[0], "telemetry of mixed_fp16, 2 steps sampled");
  for (const char* heading : {"zero", "inf, NaN", "flushed", "< ulp/2", "exponents", "2^"})
    EXPECT_NE(lines[1].find(heading), std::string::npos) << heading;
  for (std::size_t i = 2; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].size(), lines[2].size()) << out.str();
    EXPECT_EQ(lines[i].back(), '|');
  }
}

TEST(Telemetry, RefusesSettingsThatCannotWork) {
  EXPECT_THROW(Telemetry({.every = 0}), UsageError);
  EXPECT_THROW(Telemetry({.file = "/nowhere/run.jsonl"}), IoError);
}

TEST(Telemetry, TellsOfAStepThatWasStopped) {
  Net<F32> net;
  Trainer trainer(net, optim::AdamW{});
  Telemetry telemetry({.every = 1});
  trainer.observe(&telemetry);
  EXPECT_THROW(trainer.step(batch<F32>(1),
                            [](const auto& model, const auto& batch) {
                              const auto y = model(batch.x);
                              fail<DataError>("no");
                              return mse_loss(y, batch.y);
                            }),
               DataError);
  EXPECT_EQ(telemetry.last().skip_reason, "stopped by an error");
  EXPECT_EQ(telemetry.last().tensors.size(), 3u) << "what it saw until then";
}

}  // namespace
