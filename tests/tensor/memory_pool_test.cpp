#include <halfstep/tensor/device.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <vector>

namespace {

using halfstep::BackendError;

// A system of its own for each test: counts, and can refuse.
int requests = 0;
int frees = 0;
std::size_t largest = SIZE_MAX;
void* take(std::size_t bytes) {
  if (bytes > largest) halfstep::fail<BackendError>("out of memory");
  ++requests;
  return halfstep::allocate_system_memory(bytes);
}
void give(void* memory) {
  ++frees;
  halfstep::free_system_memory(memory);
}
using Pool = halfstep::MemoryPool<take, give>;

class MemoryPool : public testing::Test {
 protected:
  void SetUp() override {
    requests = frees = 0;
    largest = SIZE_MAX;
  }
  void TearDown() override {
    pool.trim();
    EXPECT_EQ(requests, frees) << "every block must go back to the system";
  }
  Pool pool;
};

TEST_F(MemoryPool, AlignsEveryBlockToACacheLine) {
  std::vector<Pool::Block*> blocks;
  for (std::size_t bytes : {0, 1, 63, 64, 65, 1000, 4097, 1 << 21}) {
    blocks.push_back(pool.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(blocks.back()->memory()) % 64, 0u) << bytes;
    if (bytes > 0) static_cast<char*>(blocks.back()->memory())[bytes - 1] = 1;
  }
  for (Pool::Block* block : blocks) pool.release(block);
}

TEST_F(MemoryPool, HandsAFreedBlockOutAgain) {
  Pool::Block* block = pool.allocate(5000);
  pool.release(block);
  EXPECT_EQ(pool.allocate(5000), block);
  EXPECT_EQ(pool.use().system_requests, 1u);
  pool.release(block);
}

TEST_F(MemoryPool, WastesAtMostAnEighthAndALine) {
  // Sizes of one class share blocks; two sizes an eighth of a power of two apart never do.
  for (std::size_t bytes = 1000; bytes < 3'000'000; bytes = bytes * 3 / 2) {
    Pool::Block* small = pool.allocate(bytes);
    pool.release(small);
    const std::size_t before = pool.use().system_requests;
    Pool::Block* large = pool.allocate(bytes + bytes / 4 + 128);
    EXPECT_EQ(pool.use().system_requests, before + 1) << bytes;
    pool.release(large);
    pool.trim();
  }
}

TEST_F(MemoryPool, CountsWhatIsInUseAndItsPeak) {
  Pool::Block* a = pool.allocate(100);
  Pool::Block* b = pool.allocate(50);
  pool.release(a);
  EXPECT_EQ(pool.use().in_use, 50u);
  EXPECT_EQ(pool.use().peak, 150u);
  pool.reset_peak();
  EXPECT_EQ(pool.use().peak, 50u);
  pool.release(b);
}

TEST_F(MemoryPool, GivesItsCacheBackBeforeItSaysOutOfMemory) {
  pool.release(pool.allocate(1000));
  largest = 2000;
  EXPECT_THROW(static_cast<void>(pool.allocate(4000)), BackendError);
  EXPECT_EQ(frees, 1) << "the cached block was worth a try";
  EXPECT_EQ(pool.use().in_use, 0u) << "what was refused is not in use";
}

TEST_F(MemoryPool, ServesManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        Pool::Block* block = pool.allocate(256);
        auto* mine = static_cast<int*>(block->memory());
        *mine = t;
        ASSERT_EQ(*mine, t);
        pool.release(block);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.use().in_use, 0u);
  EXPECT_LE(pool.use().system_requests, 4u);
}

}  // namespace
