#include <halfstep/backend/cpu/threads.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace hs = halfstep;
using hs::Index;
using hs::backend::cpu::parallel_for;

TEST(Threads, RefusesToRunOnNone) {
  EXPECT_THROW(hs::set_threads(0), hs::BackendError);
  EXPECT_THROW(hs::set_threads(-2), hs::BackendError);
}

TEST(Threads, RemembersTheirNumber) {
  const int before = hs::threads();
  hs::set_threads(3);
  EXPECT_EQ(hs::threads(), 3);
  hs::set_threads(before);
}

TEST(Threads, VisitEveryElementOnceInFixedChunks) {
  const int before = hs::threads();
  for (const int count : {1, 2, 5}) {
    hs::set_threads(count);
    for (const Index n : {0, 1, 6, 7, 8, 1000}) {
      std::vector<int> visits(static_cast<std::size_t>(n));
      parallel_for(n, 7, [&](Index first, Index last) {
        EXPECT_EQ(first % 7, 0);
        EXPECT_EQ(last, std::min(n, first + 7));
        for (Index i = first; i < last; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      EXPECT_EQ(visits, std::vector<int>(static_cast<std::size_t>(n), 1));
    }
  }
  hs::set_threads(before);
}

TEST(Threads, BringABodysExceptionToTheCaller) {
  const int before = hs::threads();
  for (const int count : {1, 3}) {
    hs::set_threads(count);
    const auto failing = [](Index first, Index) {
      if (first == 40) hs::fail<hs::DataError>("chunk ", first);
    };
    EXPECT_THROW(parallel_for(100, 10, failing), hs::DataError);
    // The threads are there for the next one.
    std::atomic<Index> sum{0};
    parallel_for(100, 10, [&](Index first, Index) { sum += first; });
    EXPECT_EQ(sum.load(), 450);
  }
  hs::set_threads(before);
}

TEST(Threads, RunANestedLoopSerially) {
  std::atomic<Index> sum{0};
  parallel_for(4, 1, [&](Index, Index) {
    Index inner = 0;  // no atomic: one thread runs the whole inner loop
    parallel_for(100, 3, [&](Index first, Index last) {
      for (Index i = first; i < last; ++i) inner += i;
    });
    sum += inner;
  });
  EXPECT_EQ(sum.load(), 4 * 4950);
}

TEST(Threads, AreOneInASerialScope) {
  const int before = hs::threads();
  hs::set_threads(4);
  {
    const hs::backend::cpu::SerialScope serial;
    EXPECT_EQ(hs::threads(), 1);
  }
  EXPECT_EQ(hs::threads(), 4);
  hs::set_threads(before);
}
