#include "support/flat_model.hpp"

#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/clip_norm.hpp>
#include <halfstep/optim/master_weights.hpp>
#include <halfstep/optim/optimizer.hpp>
#include <halfstep/scale/loss_scaler.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<long> allocations{0};
}
// Counts what the host allocates. Not inlined: GCC would see malloc meet delete.
__attribute__((noinline)) void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace halfstep::test {
namespace {

TEST(Optimizer, AStepInItsStrideAllocatesNothing) {
  using Mixed = halfstep::Setup<MixedFp16, backend::Default>;
  FlatModel<Mixed> model;
  // Enough for several threads.
  model.add<float16>("w", std::vector<double>(100000, 1.0)).add<float>("n", {1.0});
  Optimizer optimizer(model.parameters(), optim::MasterWeights{optim::AdamW{}});
  LossScaler scaler(model.parameters(), DynamicLossScaling{});
  const std::vector<double> gradient = {0.5, -0.5};
  long before = 0;
  for (int i = 0; i < 10; ++i) {
    if (i == 5) before = allocations;
    auto gradients = scaler.unscale(model.gradients<Scaled>(gradient, 65536.0));
    optim::clip_norm(gradients, 1.0);
    const auto report = scaler.step(optimizer, std::move(gradients));
    scaler.update();
  }
  EXPECT_GT(before, 0);
  EXPECT_EQ(allocations - before, 0);
}

}  // namespace
}  // namespace halfstep::test
