// The walk of a scale by itself: update() without a model, for tens of thousands of rounds.
#include <halfstep/numeric/float16.hpp>
#include <halfstep/scale/scale_rule.hpp>

#include <gtest/gtest.h>

#include <random>

namespace halfstep::test {
namespace {

constexpr SkipReason good = SkipReason::none;
constexpr SkipReason overflow = SkipReason::gradients_not_finite;
constexpr SkipReason bad_loss = SkipReason::loss_not_finite;

/// Where a scaler keeps its state, and update().
struct Walk {
  DynamicLossScaling settings;
  scale::State state;

  explicit Walk(const DynamicLossScaling& chosen, std::size_t losses = 1) : settings(chosen) {
    scale::validate(settings);
    state.losses.assign(losses, {scale::initial_scale(settings), {}});
  }
  double scale(std::size_t which = 0) const { return state.losses[which].scale; }

  /// A round in which each loss's gradients were found to be so, and all together.
  void round(const std::vector<SkipReason>& of_losses, SkipReason together) {
    std::vector<double> scales;
    std::vector<scale::Trackers> trackers;
    std::vector<PassFindings> findings;
    for (std::size_t i = 0; i < state.losses.size(); ++i) {
      scales.push_back(state.losses[i].scale);
      trackers.push_back(state.losses[i].trackers);
      findings.emplace_back();
      if (i < of_losses.size()) findings[i].note(of_losses[i]);
    }
    if (scales.size() > 1) findings.emplace_back();
    findings.back().note(together);
    scale::EndRound<DynamicLossScaling>{settings,      static_cast<std::int64_t>(scales.size()),
                                        scales.data(), trackers.data(),
                                        &state.skips,  findings.data()}();
    for (std::size_t i = 0; i < state.losses.size(); ++i)
      state.losses[i] = {scales[i], trackers[i]};
    for (const PassFindings& found : findings) EXPECT_EQ(found.seen + found.bad(), 0);
  }
  void round(SkipReason reason) { round({reason}, reason); }
};

/// Rounds that overflow now and then, more often the higher the scale is, as training does.
class Patterns {
 public:
  explicit Patterns(unsigned seed) : random_(seed) {}
  SkipReason next(double scale) {
    const double draw = std::uniform_real_distribution<double>(0.0, 1.0)(random_);
    if (draw < 0.001) return bad_loss;
    return draw < 0.002 + 0.2 * scale / 0x1p24 ? overflow : good;
  }
  /// A number with 11 significant bits whose product with the scale is a normal float16.
  double number(double scale) {
    const double significand = 1024.0 + static_cast<double>(random_() % 1024);
    const int exponent = static_cast<int>(random_() % 30) - 24;  // 2^-14 to 65504
    return std::ldexp(significand, exponent) / scale * (random_() % 2 == 0 ? 1.0 : -1.0);
  }

 private:
  std::mt19937 random_;
};

TEST(ScaleRule, EveryScaleOfTheDefaultSettingsIsAPowerOfTwoAndExact) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    // 2000 good rounds are rare in so short a walk; with 20 the scale moves all the time.
    Walk walk({.growth_interval = seed % 2 == 0 ? 2000 : 20});
    Patterns patterns(seed);
    double lowest = walk.scale();
    double highest = walk.scale();
    for (int i = 0; i < 10000; ++i) {
      walk.round(patterns.next(walk.scale()));
      const double scale = walk.scale();
      lowest = std::min(lowest, scale);
      highest = std::max(highest, scale);
      int exponent = 0;
      ASSERT_EQ(std::frexp(scale, &exponent), 0.5) << scale;
      ASSERT_GE(scale, walk.settings.floor);
      ASSERT_LE(scale, walk.settings.ceiling);
      const double gradient = patterns.number(scale);
      const auto stored =
          storage_cast<float16>(static_cast<float>(gradient) * static_cast<float>(scale));
      GradientState state;
      state.scale = scale;
      ASSERT_EQ(storage_cast<float>(stored) * static_cast<float>(state.multiplier()),
                static_cast<float>(gradient))
          << gradient << " at " << scale;
    }
    EXPECT_LT(lowest, highest);
  }
}

TEST(ScaleRule, GoesTheSameWayFromAStateSavedAtAnyRound) {
  const DynamicLossScaling settings{.initial_scale = 0x1p20, .growth_interval = 3, .hysteresis = 3};
  std::vector<SkipReason> reasons;
  Patterns patterns(5);
  for (int i = 0; i < 200; ++i) reasons.push_back(patterns.next(0x1p24));
  std::vector<scale::State> states;
  Walk whole(settings);
  for (const SkipReason reason : reasons) {
    whole.round(reason);
    states.push_back(whole.state);
  }
  for (std::size_t from = 0; from < states.size(); ++from) {
    Walk resumed(settings);
    ASSERT_NO_THROW(scale::validate(settings, 1, states[from]));
    resumed.state = states[from];
    for (std::size_t i = from + 1; i < reasons.size(); ++i) {
      resumed.round(reasons[i]);
      ASSERT_EQ(resumed.state, states[i]);
    }
  }
}

TEST(ScaleRule, AnOverflowLowersTheScaleOfItsLossAlone) {
  Walk walk({.initial_scale = 1024.0, .growth_interval = 2}, 3);
  walk.round({good, overflow, good}, overflow);
  EXPECT_EQ(walk.state.losses[0], (scale::State::OfLoss{1024.0, {1, 0}}));
  EXPECT_EQ(walk.state.losses[1], (scale::State::OfLoss{512.0, {0, 0}}));
  walk.round({good, good}, good);  // the third has no pass in this round
  EXPECT_EQ(walk.state.losses[0], (scale::State::OfLoss{2048.0, {0, 0}}));
  EXPECT_EQ(walk.state.losses[1], (scale::State::OfLoss{512.0, {1, 0}}));
  EXPECT_EQ(walk.state.losses[2], (scale::State::OfLoss{1024.0, {1, 0}}));
  EXPECT_EQ(walk.state.skips, scale::Skips{});
}

TEST(ScaleRule, WhatGoesBadAfterEveryPassWasGoodIsNoLosss) {
  Walk walk({.initial_scale = 1024.0, .growth_interval = 2}, 2);
  walk.round({good, good}, good);
  const scale::State before = walk.state;
  walk.round({good, good}, overflow);
  EXPECT_EQ(walk.state.losses, before.losses);
  EXPECT_EQ(walk.state.skips, (scale::Skips{1, 1})) << "no lower scale could mend it";
}

TEST(ScaleRule, ARoundIsMendableWhereOneOfItsLossesCanShrink) {
  Walk walk({.initial_scale = 2.0}, 2);
  walk.round({overflow, good}, overflow);  // to the floor
  walk.round({overflow, overflow}, overflow);
  EXPECT_EQ(walk.state.skips, (scale::Skips{2, 0}));
  walk.round({overflow, good}, overflow);
  EXPECT_EQ(walk.state.skips, (scale::Skips{3, 1}));
  walk.round({good, bad_loss}, bad_loss);
  EXPECT_EQ(walk.state.skips, (scale::Skips{4, 2}));
  walk.round({good, good}, good);
  EXPECT_EQ(walk.state.skips, scale::Skips{});
}

}  // namespace
}  // namespace halfstep::test
