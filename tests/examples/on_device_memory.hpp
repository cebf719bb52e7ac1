#pragma once

#include <app/run.hpp>
#include <app/training_result.hpp>

#include <halfstep/backend/grid/host_grid.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/test_device.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

namespace halfstep::test {

/// Trains as a program does on one backend; what it would print goes nowhere.
template <class Setup, class Train>
app::TrainingResult trained(const app::Options& options, const Train& train) {
  std::ostringstream printed;
  std::streambuf* const before = std::cout.rdbuf(printed.rdbuf());
  app::TrainingResult result;
  {
    app::Progress progress;
    app::JsonLines json;
    result = train(app::Run<Setup>{options, std::string(Setup::Precision::name),
                                   typename Setup::LossScaling{}, progress, json});
  }
  std::cout.rdbuf(before);
  return result;
}

/// A program's training comes to the same on memory that the host may not touch, by the same
/// operations in the same order, done late: it reads and writes nothing behind the queue's back.
template <class Policy, class Train>
void expect_the_same_on_device_memory(const app::Options& options, const Train& train) {
  const auto host = trained<Setup<Policy, backend::Reference>>(options, train);
  const auto device = trained<Setup<Policy, backend::Delayed>>(options, train);
  EXPECT_TRUE(std::isfinite(host.final_loss));
  EXPECT_EQ(host.final_loss, device.final_loss);
  ASSERT_FALSE(host.scores.empty());
  ASSERT_EQ(host.scores.size(), device.scores.size());
  for (std::size_t i = 0; i < host.scores.size(); ++i)
    EXPECT_EQ(host.scores[i].value, device.scores[i].value) << host.scores[i].key;
  EXPECT_EQ(host.shown, device.shown);
  EXPECT_EQ(host.parameter_bytes, device.parameter_bytes);
  EXPECT_EQ(host.optimizer_bytes, device.optimizer_bytes);
  // The host's own part, the nodes of the tape, is in no device's memory.
  EXPECT_GT(device.activation_bytes, 0);
  EXPECT_LT(device.activation_bytes, host.activation_bytes);
  EXPECT_EQ(host.skipped_steps, device.skipped_steps);

  // A GPU's kernels sum in another order; here steps are also noted and replayed as graphs, and so
  // may not wait for a value.
  const auto grid = trained<Setup<Policy, backend::HostGrid>>(options, train);
  EXPECT_TRUE(std::isfinite(grid.final_loss));
  EXPECT_EQ(grid.parameter_bytes, device.parameter_bytes);
  EXPECT_EQ(grid.optimizer_bytes, device.optimizer_bytes);
  EXPECT_GT(grid.activation_bytes, 0);
}

}  // namespace halfstep::test
