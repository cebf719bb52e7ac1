#include <halfstep/numeric/dispatch.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace hs = halfstep;

struct CountLanes {
  int extra;
  template <class N>
  HALFSTEP_INLINE int operator()(int& calls, int addend) const {
    ++calls;
    return hs::lanes<N> + addend + extra;
  }
};

TEST(Dispatch, RunsTheKernelOnceWithThePacketOfTheSet) {
  const int lanes_of[] = {4, 8, 16};
  for (const hs::InstructionSet set : hs::supported_instruction_sets()) {
    int calls = 0;
    EXPECT_EQ(hs::run_on(set, CountLanes{100}, calls, 1000),
              1100 + lanes_of[static_cast<int>(set)]);
    EXPECT_EQ(calls, 1);
  }
}

TEST(Dispatch, TakesTheBestThatTheMachineHas) {
  const auto sets = hs::supported_instruction_sets();
  EXPECT_EQ(sets.front(), hs::InstructionSet::baseline);
  EXPECT_EQ(hs::instruction_set(), *std::max_element(sets.begin(), sets.end()));
  int calls = 0;
  EXPECT_EQ(hs::run(CountLanes{0}, calls, 0),
            hs::run_on(hs::instruction_set(), CountLanes{0}, calls, 0));
  EXPECT_EQ(calls, 2);
}

TEST(Dispatch, NamesInstructionSets) {
  EXPECT_EQ(name(hs::InstructionSet::baseline), "baseline");
  EXPECT_EQ(name(hs::InstructionSet::avx2), "AVX2");
  EXPECT_EQ(name(hs::InstructionSet::avx512), "AVX-512");
}
