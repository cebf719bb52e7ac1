#include "support/flat_model.hpp"

#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/test_device.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/optim/unsafe_nearest.hpp>
#include <halfstep/scale/skip_watch.hpp>

#include <gtest/gtest.h>

namespace halfstep::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// A training of two weights whose gradients are chosen.
template <class B>
struct Training {
  using S = halfstep::Setup<MixedFp16, B>;

  FlatModel<S> model;
  Optimizer<optim::UnsafeNearest<optim::SGD>, S> optimizer;
  LossScaler<DynamicLossScaling, S> scaler;

  explicit Training(const DynamicLossScaling& scaling = {.initial_scale = 1.0})
      : optimizer(model.template add<float16>("first", {1.0})
                      .template add<float16>("second", {1.0})
                      .parameters(),
                  optim::UnsafeNearest{optim::SGD{.learning_rate = 0.0}}),
        scaler(model.parameters(), scaling) {}

  StepReport<B> round(float of_first, float of_second) {
    const auto loss = sum(cast<float>(model.store().template variable<float16>(0))) * of_first +
                      sum(cast<float>(model.store().template variable<float16>(1))) * of_second;
    auto report = scaler.step(optimizer, backward(scaler.scale(loss)));
    scaler.update();
    return report;
  }
};
using OnHost = Training<backend::Reference>;

TEST(SkipWatch, ThrowsByDefaultAndNamesTheFirstBadParameter) {
  OnHost training;
  SkipWatch watch({.max_skips = 3});
  for (int i = 0; i < 2; ++i) watch.look(training.scaler, training.round(1.0f, 70000.0f));
  const auto report = training.round(1.0f, 70000.0f);
  try {
    watch.look(training.scaler, report);
    FAIL() << "three in a row at the floor";
  } catch (const NonFiniteError& error) {
    EXPECT_STREQ(error.what(),
                 "3 steps in a row were skipped at loss scale 1: the gradients are not finite; the "
                 "first parameter with a gradient that is not finite is 'second'; look for NaN in "
                 "the data, or lower the learning rate");
  }
}

TEST(SkipWatch, LetsTheScaleComeDownFirst) {
  OnHost training({.initial_scale = 1024.0});
  SkipWatch watch({.max_skips = 1});
  // Ten rounds from 1024 to 1; only the eleventh is one that no lower scale could mend.
  for (int i = 0; i < 10; ++i)
    ASSERT_NO_THROW(watch.look(training.scaler, training.round(70000.0f, 1.0f)));
  const auto report = training.round(70000.0f, 1.0f);
  EXPECT_THROW(watch.look(training.scaler, report), NonFiniteError);
}

TEST(SkipWatch, CountsOnlySkipsInARow) {
  OnHost training;
  SkipWatch watch({.max_skips = 2});
  for (int i = 0; i < 6; ++i)
    ASSERT_NO_THROW(watch.look(training.scaler, training.round(i % 2 == 0 ? nan : 1.0f, 1.0f)));
}

TEST(SkipWatch, AsksTheCallBackWhichMayGoOnOrStop) {
  OnHost training;
  std::vector<StuckTraining> seen;
  SkipWatch watch({.max_skips = 2, .call_back = [&](const StuckTraining& stuck) {
                     seen.push_back(stuck);
                     return seen.size() < 3 ? WhenStuck::skip : WhenStuck::throw_error;
                   }});
  const auto look = [&] { watch.look(training.scaler, training.round(nan, 1.0f)); };
  for (int i = 0; i < 5; ++i) ASSERT_NO_THROW(look());
  EXPECT_EQ(seen.size(), 2u) << "the count begins again";
  EXPECT_THROW(look(), NonFiniteError);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].skips_in_row, 2);
  EXPECT_EQ(seen[0].loss_scale, 1.0);
  EXPECT_TRUE(std::isnan(seen[0].loss));
  EXPECT_EQ(seen[0].reason, SkipReason::loss_not_finite);
  EXPECT_EQ(seen[0].parameter, "first");
  EXPECT_EQ(training.scaler.skips().in_row, 6) << "how many were skipped is still known";
}

TEST(SkipWatch, GoesOnSkippingWhereItIsToldTo) {
  OnHost training;
  SkipWatch watch({.max_skips = 1, .then = WhenStuck::skip});
  for (int i = 0; i < 5; ++i)
    ASSERT_NO_THROW(watch.look(training.scaler, training.round(nan, 1.0f)));
  EXPECT_EQ(training.scaler.skips(), (scale::Skips{5, 5}));
}

TEST(SkipWatch, SearchesTheModelsThatItIsGiven) {
  OnHost training;
  OnHost other;
  SkipWatch watch({.max_skips = 1});
  auto report = training.scaler.step(
      other.optimizer, other.model.gradients<Scaled>({std::numeric_limits<double>::infinity()}));
  training.scaler.update();
  const auto message = [&](const auto&... models) -> std::string {
    try {
      watch.look(training.scaler, report, models...);
    } catch (const NonFiniteError& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_NE(message(training.model.parameters()).find("every parameter's gradient is finite"),
            std::string::npos);
  EXPECT_NE(message(training.model.parameters(), other.model.parameters()).find("is 'first'"),
            std::string::npos);
}

TEST(SkipWatch, RefusesALimitBelowOne) { EXPECT_THROW(SkipWatch({.max_skips = 0}), UsageError); }

TEST(SkipWatch, AsksADeviceOnlyNowAndThen) {
  Training<backend::Delayed> training;
  SkipWatch watch({.max_skips = 10});
  const std::size_t before = backend::Delayed::synchronizations();
  for (int i = 0; i < 9; ++i) watch.look(training.scaler, training.round(nan, 1.0f));
  EXPECT_EQ(backend::Delayed::synchronizations(), before) << "no round waits";
  const auto report = training.round(nan, 1.0f);
  EXPECT_THROW(watch.look(training.scaler, report), NonFiniteError);
  // And where it goes on, the device's count begins again without waiting.
  training.scaler.restart_skip_count();
  EXPECT_EQ(training.scaler.skips(), (scale::Skips{10, 0}));
}

/// A device whose numbers reach the host's memory.
struct DelayedWithMail : backend::Delayed {
  static inline int mailboxes = 0;
  static Mailbox mailbox() {
    ++mailboxes;
    return Mailbox({new std::int64_t, [](std::int64_t* memory) {
                      synchronize();  // what is queued may still write there
                      --mailboxes;
                      delete memory;
                    }});
  }
};

TEST(SkipWatch, NeverWaitsForADeviceThatSendsItsCount) {
  Training<DelayedWithMail> training;
  SkipWatch watch({.max_skips = 10});
  const std::size_t before = backend::Delayed::synchronizations();
  for (int i = 0; i < 100; ++i)
    watch.look(training.scaler, training.round(i % 10 == 0 ? 1.0f : nan, 1.0f));
  EXPECT_EQ(backend::Delayed::synchronizations(), before);
  EXPECT_EQ(DelayedWithMail::mailboxes, 1);
}

TEST(SkipWatch, ThrowsAsSoonAsTheDevicesCountHasArrived) {
  Training<DelayedWithMail> training;
  SkipWatch watch({.max_skips = 10});
  for (int i = 0; i < 12; ++i) watch.look(training.scaler, training.round(nan, 1.0f));
  backend::Delayed::synchronize();  // the device is as far as the host
  const auto report = training.round(nan, 1.0f);
  try {
    watch.look(training.scaler, report);
    FAIL() << "12 in a row are known";
  } catch (const NonFiniteError& error) {
    EXPECT_EQ(std::string(error.what()).rfind("13 steps in a row were skipped", 0), 0u);
  }
}

TEST(SkipWatch, WhatArrivesFromBeforeARestartIsNotCountedAgain) {
  Training<DelayedWithMail> training;
  int calls = 0;
  SkipWatch watch({.max_skips = 5, .call_back = [&](const StuckTraining&) {
                     ++calls;
                     return WhenStuck::skip;
                   }});
  for (int i = 0; i < 14; ++i) {
    watch.look(training.scaler, training.round(nan, 1.0f));
    backend::Delayed::synchronize();
  }
  // Seen one round late: after 6 rounds, and after 6 more of the count that began again.
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(training.scaler.skips(), (scale::Skips{14, 2}));
}

TEST(SkipWatch, AskingMayStandInTheStepAndLookingAfterIt) {
  Training<DelayedWithMail> training;
  SkipWatch watch({.max_skips = 3});
  for (int i = 0; i < 3; ++i) {
    const auto report = training.round(nan, 1.0f);
    watch.ask(training.scaler);
    backend::Delayed::synchronize();
    if (i < 2)
      ASSERT_NO_THROW(watch.look(training.scaler, report));
    else
      EXPECT_THROW(watch.look(training.scaler, report), NonFiniteError);
  }
  // A backend without a mailbox, and a watch that never stops anybody, ask for nothing.
  Training<backend::Delayed> other;
  watch.ask(other.scaler);
  SkipWatch patient({.max_skips = 1, .then = WhenStuck::skip});
  const int before = DelayedWithMail::mailboxes;
  patient.ask(training.scaler);
  EXPECT_EQ(DelayedWithMail::mailboxes, before);
}

}  // namespace
}  // namespace halfstep::test
