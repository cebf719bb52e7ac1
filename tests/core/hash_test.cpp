#include <halfstep/core/hash.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <unordered_set>

using halfstep::hash_of;

TEST(Hash, TellsPartsInAnotherOrderApart) {
  EXPECT_EQ(hash_of({3, 5}), hash_of({3, 5}));
  EXPECT_NE(hash_of({3, 5}), hash_of({5, 3}));
  EXPECT_NE(hash_of({3, 5}), hash_of({3, 5, 1}));
}

TEST(Hash, SpreadsNeighboursOverTheLowBitsThatTablesUse) {
  std::unordered_set<std::uint64_t> buckets;
  for (std::int64_t a = 0; a < 8; ++a)
    for (std::int64_t b = 0; b < 8; ++b) buckets.insert(hash_of({a, b, 64}) % 64);
  // 64 balls in 64 buckets leave 64 / e = 23.5 of them empty on average.
  EXPECT_GT(buckets.size(), 20u);
}
