#include <halfstep/core/glob.hpp>

#include <gtest/gtest.h>

namespace halfstep {
namespace {

TEST(Glob, AStarStandsForAnyCharactersAndAQuestionMarkForOne) {
  EXPECT_TRUE(matches_glob("out.weight", "out.weight"));
  EXPECT_FALSE(matches_glob("out.weight", "out.weights"));
  EXPECT_FALSE(matches_glob("out", "out.weight"));
  EXPECT_TRUE(matches_glob("*.bias", "blocks.0.attention.bias"));
  EXPECT_FALSE(matches_glob("*.bias", "blocks.0.biases"));
  EXPECT_TRUE(matches_glob("blocks.?.mlp.*", "blocks.3.mlp.out.weight"));
  EXPECT_FALSE(matches_glob("blocks.?.mlp.*", "blocks.12.mlp.out.weight"));
  EXPECT_TRUE(matches_glob("*a*b", "xaxbxab"));
  EXPECT_FALSE(matches_glob("*a*b", "xaxbxa"));
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_FALSE(matches_glob("?", ""));
}

}  // namespace
}  // namespace halfstep
