// Steps as graphs, against a recording stand-in of the runtime.
#include <halfstep/backend/grid/block_cache.hpp>
#include <halfstep/backend/grid/step_graphs.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace halfstep::test {
namespace {

using backend::grid::BlockCache;
using backend::grid::Enqueue;
using backend::grid::FreeMemory;
using backend::grid::Recording;
using backend::grid::StepGraphs;

/// What the runtime was asked for, in order.
struct Log {
  std::vector<std::string> calls;
};

/// A runtime with memory for so many bytes.
struct Memory {
  static inline std::size_t most = 1 << 20;
  static inline std::size_t used = 0;
  static void* allocate(std::size_t bytes) {
    if (used + bytes > most) return nullptr;
    used += bytes;
    auto* const block = new std::size_t[1 + bytes / sizeof(std::size_t)];
    *block = bytes;
    return block;
  }
  static void free(void* memory) {
    auto* const block = static_cast<std::size_t*>(memory);
    used -= *block;
    delete[] block;
  }
  static FreeMemory free_memory() { return {most - used, most}; }
};
struct StandInDevice {
  using Pool = BlockCache<Memory>;
  static Pool& pool() {
    static Pool pool;
    return pool;
  }
};

/// A queue whose graphs write down when they are made and launched.
struct StandIn {
  using Device = StandInDevice;
  using Stream = Log*;
  static inline Log log;
  static inline bool captures = true;

  class Graph {
   public:
    explicit Graph(const Recording<Stream>& recording) {
      if (!captures) fail<BackendError>("this cannot be captured");
      recording.run(&held_);
      log.calls.push_back("capture");
    }
    void launch() {
      log.calls.push_back("launch");
      for (const std::string& call : held_.calls) log.calls.push_back(call);
    }

   private:
    Log held_;
  };
  static Stream stream() { return &log; }
  template <class Command>
  static void enqueue(const Command& command, std::span<const std::byte> payload = {}) {
    Enqueue<Stream>::run(command, stream(), payload);
  }
};

/// A command with gaps between its members.
struct Add {
  bool exact;
  double number;
  char unit;
  void operator()(Log* log) const {
    log->calls.push_back("add " + std::to_string(static_cast<int>(number)) + unit);
  }
};
struct Send {
  const void* to;
  void operator()(Log* log, std::span<const std::byte> bytes) const {
    log->calls.push_back("send " + std::to_string(std::to_integer<int>(bytes[0])));
  }
};

class StepGraphsTest : public testing::Test {
 protected:
  void SetUp() override {
    StandIn::log = {};
    StandIn::captures = true;
    Memory::most = 1 << 20;
  }
  void TearDown() override { StandInDevice::pool().trim(); }
  /// A step of one addition, on a stack that holds something else each time.
  void step(double number) {
    const std::array<unsigned char, 256> junk = [&] {
      std::array<unsigned char, 256> bytes{};
      for (auto& byte : bytes) byte = static_cast<unsigned char>(++noise_ * 37);
      return bytes;
    }();
    graphs_.run([&] {
      alignas(Add) unsigned char place[sizeof(Add)];
      std::memcpy(place, junk.data(), sizeof(place));
      auto* const add = ::new (static_cast<void*>(place)) Add;
      add->exact = true, add->number = number, add->unit = 'm';
      StandIn::enqueue(*add);
      return 0;
    });
  }
  std::vector<std::string> calls() const { return StandIn::log.calls; }

  StepGraphs<StandIn> graphs_;
  unsigned noise_ = 0;
};

using Calls = std::vector<std::string>;

TEST_F(StepGraphsTest, AStepThatComesASecondTimeIsAGraphFromThenOn) {
  for (int i = 0; i < 4; ++i) step(7);
  EXPECT_EQ(calls(), (Calls{"add 7m", "capture", "launch", "add 7m", "launch", "add 7m", "launch",
                            "add 7m"}));
  EXPECT_EQ(graphs_.use().direct, 1);
  EXPECT_EQ(graphs_.use().captured, 1);
  EXPECT_EQ(graphs_.use().replayed, 2);
}

TEST_F(StepGraphsTest, EachStepThatDiffersHasAGraphOfItsOwn) {
  for (const double number : {1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 3.0}) step(number);
  EXPECT_EQ(graphs_.use().direct, 3);
  EXPECT_EQ(graphs_.use().captured, 2);
  EXPECT_EQ(graphs_.use().replayed, 2);
  EXPECT_EQ(calls().back(), "add 3m") << "what was captured for others is not replayed";
}

TEST_F(StepGraphsTest, StepsThatNeverReturnTakeTheOldestsPlace) {
  step(0);
  for (int i = 1; i <= 16; ++i) step(i);
  step(0);
  EXPECT_EQ(graphs_.use().direct, 18);
  step(0);
  step(16);
  EXPECT_EQ(graphs_.use().captured, 2);
}

TEST_F(StepGraphsTest, WhatTheHostSendsBelongsToTheRecording) {
  const auto send = [&](unsigned char value) {
    graphs_.run([&] {
      const std::array<unsigned char, 3> bytes{value, 1, 2};
      StandIn::enqueue(Send{nullptr}, std::as_bytes(std::span(bytes)));
      return 0;
    });
  };
  send(4), send(4), send(5), send(4);
  EXPECT_EQ(calls(),
            (Calls{"send 4", "capture", "launch", "send 4", "send 5", "launch", "send 4"}));
}

TEST_F(StepGraphsTest, NothingOfAStepThatThrowsIsBegun) {
  EXPECT_THROW(graphs_.run([&]() -> int {
    StandIn::enqueue(Add{true, 1, 'm'});
    fail<ShapeError>("no");
  }),
               ShapeError);
  EXPECT_EQ(calls(), Calls{});
  EXPECT_EQ(Enqueue<Log*>::recorder(), nullptr);
  StandIn::enqueue(Add{true, 2, 'm'});
  EXPECT_EQ(calls(), Calls{"add 2m"});
}

TEST_F(StepGraphsTest, AStepInsideAStepIsAPartOfIt) {
  StepGraphs<StandIn> inner;
  for (int i = 0; i < 2; ++i)
    graphs_.run([&] {
      StandIn::enqueue(Add{true, 1, 'm'});
      return inner.run([&] {
        StandIn::enqueue(Add{true, 2, 'm'});
        return 0;
      });
    });
  EXPECT_EQ(calls(), (Calls{"add 1m", "add 2m", "capture", "launch", "add 1m", "add 2m"}));
  EXPECT_EQ(inner.use().direct, 0);
}

TEST_F(StepGraphsTest, WhatCannotBeCapturedRunsOperationByOperation) {
  StandIn::captures = false;
  for (int i = 0; i < 3; ++i) step(7);
  EXPECT_EQ(calls(), (Calls{"add 7m", "add 7m", "add 7m"}));
  EXPECT_EQ(graphs_.use().direct, 3);
}

TEST_F(StepGraphsTest, ReadingInsideAStepIsRefusedWithTheReasonAndTheRemedy) {
  try {
    graphs_.run([&] {
      backend::grid::refuse_while_recording<StandIn>("download");
      return 0;
    });
    FAIL() << "read inside a step";
  } catch (const UsageError& error) {
    const std::string text = error.what();
    for (const char* part : {"download", "runs as a graph", "report", ".graph = false"})
      EXPECT_NE(text.find(part), std::string::npos) << part << ": " << text;
  }
  backend::grid::refuse_while_recording<StandIn>("download");  // outside of one it is allowed
}

TEST_F(StepGraphsTest, AnotherThreadsWorkIsNotRecorded) {
  graphs_.run([&] {
    std::thread([] { StandIn::enqueue(Add{true, 9, 'm'}); }).join();
    StandIn::enqueue(Add{true, 1, 'm'});
    EXPECT_EQ(calls(), Calls{"add 9m"});
    return 0;
  });
  EXPECT_EQ(calls(), (Calls{"add 9m", "add 1m"}));
}

TEST_F(StepGraphsTest, MemoryOfNotedWorkServesNoOtherThreadBeforeItHasBegun) {
  auto& pool = StandInDevice::pool();
  auto* const held = pool.allocate(1000);
  graphs_.run([&] {
    pool.release(held);
    std::thread([&] {
      auto* const other = pool.allocate(1000);
      EXPECT_NE(other, held);
      pool.release(other);
    }).join();
    auto* const own = pool.allocate(1000);
    EXPECT_EQ(own, held) << "the step itself comes after its own work";
    pool.release(own);
    return 0;
  });
  auto* const a = pool.allocate(1000);
  auto* const b = pool.allocate(1000);
  EXPECT_TRUE(a == held || b == held) << "after it everybody may have it";
  pool.release(a);
  pool.release(b);
}

TEST_F(StepGraphsTest, WhereMemoryIsShortNotedWorkBeginsEarly) {
  auto& pool = StandInDevice::pool();
  pool.trim();
  Memory::most = Memory::used + 8192;
  for (int i = 0; i < 2; ++i)
    graphs_.run([&] {
      pool.release(pool.allocate(4096));
      StandIn::enqueue(Add{true, 1, 'm'});
      EXPECT_EQ(calls().size(), i == 0 ? 0u : 2u);
      auto* const large = pool.allocate(8192);
      EXPECT_EQ(calls().size(), i == 0 ? 1u : 3u) << "its memory was needed";
      StandIn::enqueue(Add{true, 2, 'm'});
      pool.release(large);
      return 0;
    });
  EXPECT_EQ(calls(), (Calls{"add 1m", "add 2m", "add 1m", "add 2m"}));
  EXPECT_EQ(graphs_.use().direct, 2);
}

TEST_F(StepGraphsTest, ARaceRunsAtOnceAfterWhatWasNoted) {
  for (int i = 0; i < 3; ++i)
    graphs_.run([&] {
      StandIn::enqueue(Add{true, 1, 'm'});
      if (i == 0) {
        const Enqueue<Log*>::AtOnce race;
        StandIn::enqueue(Add{true, 2, 'm'});
        EXPECT_EQ(calls(), (Calls{"add 1m", "add 2m"}));
      }
      StandIn::enqueue(Add{true, 3, 'm'});
      return 0;
    });
  EXPECT_EQ(calls(), (Calls{"add 1m", "add 2m", "add 3m", "add 1m", "add 3m", "capture", "launch",
                            "add 1m", "add 3m"}));
}

TEST_F(StepGraphsTest, EqualStepsGetEqualAddresses) {
  auto& pool = StandInDevice::pool();
  std::vector<void*> before;
  for (int step = 0; step < 4; ++step) {
    std::vector<void*> now;
    graphs_.run([&] {
      auto* const a = pool.allocate(700);
      auto* const b = pool.allocate(700);
      auto* const c = pool.allocate(700);
      for (auto* const block : {a, b, c}) now.push_back(block->memory());
      // Given back in another order than they were taken in.
      pool.release(step % 2 == 0 ? b : c);
      pool.release(a);
      pool.release(step % 2 == 0 ? c : b);
      return 0;
    });
    // The first one leaves what the others find.
    if (step > 1) {
      EXPECT_EQ(now, before);
    }
    before = now;
  }
}

}  // namespace
}  // namespace halfstep::test
