#include <halfstep/backend/grid/block_cache.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hs = halfstep;
using hs::backend::grid::BlockCache;
using hs::backend::grid::FreeMemory;

namespace {

/// A runtime with so much memory, which writes down what it was asked for.
struct Recording {
  static inline std::vector<std::string> calls;
  static inline std::size_t total = 0;
  static inline std::size_t used = 0;
  static inline std::vector<std::pair<void*, std::size_t>> blocks;

  static void start(std::size_t memory) {
    calls.clear();
    blocks.clear();
    total = memory;
    used = 0;
  }
  static void* allocate(std::size_t bytes) {
    calls.push_back("allocate " + std::to_string(bytes));
    if (used + bytes > total) return nullptr;
    used += bytes;
    // Addresses that nobody follows.
    void* const address = reinterpret_cast<void*>(std::uintptr_t{4096} * (blocks.size() + 1));
    blocks.emplace_back(address, bytes);
    return address;
  }
  static void free(void* memory) {
    for (auto& [address, bytes] : blocks)
      if (address == memory) {
        calls.push_back("free " + std::to_string(bytes));
        used -= bytes;
        bytes = 0;
      }
  }
  static FreeMemory free_memory() { return {total - used, total}; }
};
using Cache = BlockCache<Recording>;

TEST(BlockCache, AsksTheRuntimeForNothingInASteadyState) {
  Recording::start(1 << 20);
  Cache cache;
  for (int step = 0; step < 3; ++step) {
    auto* const a = cache.allocate(1000);
    auto* const b = cache.allocate(5000);
    cache.release(a);
    auto* const c = cache.allocate(1001);
    EXPECT_EQ(c, a) << "sizes within a line of 512 bytes share blocks";
    cache.release(b);
    cache.release(c);
  }
  EXPECT_EQ(Recording::calls, (std::vector<std::string>{"allocate 1024", "allocate 5120"}));
  EXPECT_EQ(cache.use().system_requests, 2u);
  EXPECT_EQ(cache.use().in_use, 0u);
  EXPECT_EQ(cache.use().peak, 6001u);
  cache.reset_peak();
  EXPECT_EQ(cache.use().peak, 0u);
  cache.trim();
  EXPECT_EQ(Recording::used, 0u);
}

TEST(BlockCache, WastesAtMostAnEighthOfALargeBlock) {
  for (std::size_t bytes = 4096; bytes < 100000; bytes += 777) {
    Recording::start(1 << 20);
    Cache cache;
    cache.release(cache.allocate(bytes));
    EXPECT_LE(Recording::used, bytes + bytes / 8);
    EXPECT_GE(Recording::used, bytes);
    EXPECT_EQ(Recording::used % 512, 0u);
    cache.trim();
  }
}

TEST(BlockCache, GivesItsCacheBackOnceBeforeItIsOutOfMemory) {
  Recording::start(10240);
  Cache cache;
  auto* const kept = cache.allocate(2048);
  cache.release(cache.allocate(6144));
  auto* const large = cache.allocate(8192);
  EXPECT_EQ(Recording::calls,
            (std::vector<std::string>{"allocate 2048", "allocate 6144", "allocate 8192",
                                      "free 6144", "allocate 8192"}));
  cache.release(large);
  cache.release(kept);
  cache.trim();
}

TEST(BlockCache, SaysWhatIsInUseWhereThereIsNoMemoryAndLosesNothing) {
  Recording::start(10240);
  Cache cache;
  auto* const a = cache.allocate(6000);
  auto* const b = cache.allocate(100);
  const hs::MemoryUse before = cache.use();
  try {
    cache.allocate(7000);
    FAIL() << "there is no memory";
  } catch (const hs::BackendError& error) {
    const std::string text = error.what();
    for (const char* part :
         {"7000 bytes", "6100 are in use", "2 tensors", "6000, 100", "3584 of 10240", "batch"})
      EXPECT_NE(text.find(part), std::string::npos) << part << ": " << text;
  }
  EXPECT_EQ(cache.use().in_use, before.in_use);
  EXPECT_EQ(cache.use().peak, before.peak);
  cache.release(a);
  auto* const now = cache.allocate(7000);
  cache.release(now);
  cache.release(b);
  cache.trim();
  EXPECT_EQ(Recording::used, 0u);
}

}  // namespace
