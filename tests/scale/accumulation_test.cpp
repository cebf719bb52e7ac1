// Gradients of many micro-batches under one scale, which does not change before update().
#include "support/flat_model.hpp"

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

#include <random>

namespace halfstep::test {
namespace {

/// MixedFp16 whose micro-batches are added in float16.
struct SixteenBitSums : MixedFp16 {
  static constexpr std::string_view name = "sixteen_bit_sums";
  using GradientAccumulator = float16;
};

constexpr int micro_batches = 256;
constexpr std::size_t weights = 50;
constexpr double scale = 1024.0;

/// What each micro-batch's gradient is: numbers of one sign, so that the sum grows.
std::vector<std::vector<double>> gradients_of_micro_batches() {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> draw(0.001, 0.1);
  std::vector<std::vector<double>> all(micro_batches, std::vector<double>(weights));
  for (auto& gradient : all)
    for (double& g : gradient) g = draw(random);
  return all;
}

template <class Policy>
struct Training {
  using S = halfstep::Setup<Policy, backend::Reference>;
  FlatModel<S> model;
  Optimizer<optim::UnsafeNearest<optim::SGD>, S> optimizer;
  LossScaler<DynamicLossScaling, S> scaler;

  Training()
      : optimizer(model.template add<float16>("w", std::vector<double>(weights, 1.0)).parameters(),
                  optim::UnsafeNearest{optim::SGD{}}),
        scaler(model.parameters(), {.initial_scale = scale}) {}

  ScaledLoss<float, S> loss(const std::vector<double>& gradient) {
    Tensor<float> slopes(Shape{static_cast<Index>(weights)});
    for (std::size_t i = 0; i < weights; ++i) slopes.data()[i] = static_cast<float>(gradient[i]);
    const auto w = cast<float>(model.store().template variable<float16>(0));
    return scaler.scale(sum(w * Variable<float, backend::Reference>(slopes)));
  }
  Gradients<Scaled, S> all(const std::vector<std::vector<double>>& gradients) {
    auto sum = backward(loss(gradients[0]));
    for (std::size_t i = 1; i < gradients.size(); ++i)
      sum = backward(loss(gradients[i]), std::move(sum));
    return sum;
  }
};

/// The largest error of the sums over what rounding allows.
template <class Policy>
double worst_error_over_bound() {
  const auto gradients = gradients_of_micro_batches();
  Training<Policy> training;
  auto unscaled = training.scaler.unscale(training.all(gradients));
  const std::vector<float> sums = unscaled.read("w");
  double worst = 0.0;
  for (std::size_t i = 0; i < weights; ++i) {
    double exact = 0.0;
    for (const auto& gradient : gradients)
      // The one rounding that is meant: each gradient, times the scale, is stored as float16.
      exact += storage_cast<double>(storage_cast<float16>(static_cast<float>(gradient[i]) *
                                                          static_cast<float>(scale))) /
               scale;
    // A sum of n terms in FP32: (n - 1) roundings of at most u times the sum of magnitudes, which
    // here is the sum itself (Higham, "Accuracy and Stability", section 4.2).
    const double bound = (micro_batches - 1) * numeric_traits<float>::unit_roundoff * exact;
    worst = std::max(worst, std::fabs(sums[i] - exact) / bound);
  }
  unscaled.release();
  training.scaler.update();
  EXPECT_EQ(training.scaler.current_scale(), scale);
  return worst;
}

TEST(Accumulation, OfManyMicroBatchesIsExactToFp32Sums) {
  EXPECT_LE(worst_error_over_bound<MixedFp16>(), 1.0);
  // What that is worth: sums in float16 are off by far more.
  EXPECT_GT(worst_error_over_bound<SixteenBitSums>(), 10.0);
}

TEST(Accumulation, HoldsSumsThatFloat16CannotHold) {
  // 255 times 256 at a scale of 1024 is a thousand times float16's largest number.
  Training<MixedFp16> training;
  std::vector<std::vector<double>> gradients(micro_batches, std::vector<double>(weights, 32.0));
  auto unscaled = training.scaler.unscale(training.all(gradients));
  EXPECT_EQ(unscaled.read("w")[0], 32.0f * micro_batches);
  EXPECT_TRUE(unscaled.finite());
}

TEST(Accumulation, OneBadMicroBatchPoisonsTheWhole) {
  for (const int bad : {0, 7, micro_batches - 1}) {
    auto gradients = gradients_of_micro_batches();
    gradients[static_cast<std::size_t>(bad)][3] = 70.0;  // 71680 at this scale
    Training<MixedFp16> training;
    const auto before = training.model.weights("w");
    const auto report = training.scaler.step(training.optimizer, training.all(gradients));
    training.scaler.update();
    EXPECT_EQ(report.skip_reason(), SkipReason::gradients_not_finite);
    EXPECT_EQ(training.scaler.current_scale(), scale / 2) << "one round, one answer";
    EXPECT_EQ(training.model.weights("w"), before);
  }
  auto gradients = gradients_of_micro_batches();
  gradients[7][3] = std::numeric_limits<double>::quiet_NaN();
  Training<MixedFp16> training;
  const auto report = training.scaler.step(training.optimizer, training.all(gradients));
  training.scaler.update();
  EXPECT_EQ(report.skip_reason(), SkipReason::loss_not_finite);
  EXPECT_EQ(training.scaler.current_scale(), scale);
}

}  // namespace
}  // namespace halfstep::test
