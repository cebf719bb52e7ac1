#include <halfstep/backend/grid/host_block.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hs = halfstep;
using hs::Index;
namespace grid = hs::backend::grid;

namespace {

/// out[block] = the sum of thread numbers, as each thread sees it.
struct SumOfThreads {
  double* out;
  template <class Block>
  void operator()(Block& block) const {
    typename Block::template PerThread<double> x;
    block.own([&](int thread) { x[thread] = thread + 0.5; });
    const double sum = grid::combine_block<double, 0>(block, x, grid::Sum());
    block.own([&](int thread) {
      out[block.index() * block.threads() + thread] = sum + 1000.0 * x[thread];
    });
  }
};

TEST(HostBlock, CombinesOverWarpsAndOverAllThreads) {
  for (const int threads : {32, 64, 256, 1024}) {
    std::vector<double> out(static_cast<std::size_t>(2 * threads));
    grid::run_on_host({2, threads}, SumOfThreads{out.data()});
    for (int i = 0; i < 2 * threads; ++i) {
      const int warp = i % threads / 32;
      const double of_warp = 32.0 * 32 * warp + 32 * 31 / 2 + 16.0;
      EXPECT_EQ(out[static_cast<std::size_t>(i)],
                threads * (threads - 1) / 2 + 0.5 * threads + 1000.0 * of_warp);
    }
  }
}

struct ReadsWhatNobodyWrote {
  float* out;
  template <class Block>
  void operator()(Block& block) const {
    float* const memory = block.template shared<float, 4, 0>();
    block.own([&](int thread) {
      if (thread == 0) *out = memory[2];
    });
  }
};

TEST(HostBlock, HasNaNInSharedMemoryUntilItIsWritten) {
  float out = 0.0f;
  grid::run_on_host({1, 32}, ReadsWhatNobodyWrote{&out});
  EXPECT_TRUE(std::isnan(out));
}

struct WritesInTurn {
  int* last;
  template <class Block>
  void operator()(Block& block) const {
    block.each([&](int thread) { last[0] = thread; });
    block.each([&](int thread) { last[1] = thread; });
  }
};

TEST(HostBlock, ChangesTheOrderOfItsThreadsFromPhaseToPhase) {
  int last[2] = {-1, -1};
  grid::run_on_host({1, 64}, WritesInTurn{last});
  EXPECT_NE(last[0], last[1]) << "a kernel that depends on the order differs";
}

struct TakesTooMuch {
  template <class Block>
  void operator()(Block& block) const {
    block.template shared<double, 4096, 0>();
    block.template shared<double, 4096, 1>();
  }
};

TEST(HostBlock, RefusesWhatNoGpuCanLaunch) {
  EXPECT_THROW(grid::run_on_host({1, 32}, TakesTooMuch{}), hs::UsageError);
  for (const grid::GridSize& size :
       {grid::GridSize{0, 32}, grid::GridSize{1, 16}, grid::GridSize{1, 33},
        grid::GridSize{1, 2048}, grid::GridSize{Index{1} << 31, 32}})
    EXPECT_THROW(grid::check_launch(size), hs::UsageError);
  EXPECT_NO_THROW(grid::check_launch({0x7FFFFFFF, 1024}));
  for (const Index n : {1, 31, 32, 33, 255, 256, 257, 100000}) {
    EXPECT_NO_THROW(grid::check_launch(grid::grid_of_rows(3, n)));
    EXPECT_NO_THROW(grid::check_launch(grid::grid_of_elements(n)));
    EXPECT_GE(grid::grid_of_elements(n).blocks * 256, n);
  }
}

}  // namespace
