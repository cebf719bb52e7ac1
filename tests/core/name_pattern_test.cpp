#include <halfstep/core/name_pattern.hpp>

#include <gtest/gtest.h>

namespace {

using halfstep::fits_pattern;

TEST(NamePattern, WithoutSignsIsTheNameItself) {
  EXPECT_TRUE(fits_pattern("blocks.0.out", "blocks.0.out"));
  EXPECT_FALSE(fits_pattern("blocks.0.out", "blocks.0.out2"));
  EXPECT_FALSE(fits_pattern("blocks.0.out", "blocks.0.ou"));
  EXPECT_FALSE(fits_pattern("", "a"));
  EXPECT_TRUE(fits_pattern("", ""));
}

TEST(NamePattern, AStarTakesAnyCharactersDotsAndNoneToo) {
  EXPECT_TRUE(fits_pattern("*", ""));
  EXPECT_TRUE(fits_pattern("*", "anything.at.all"));
  EXPECT_TRUE(fits_pattern("blocks.*.out", "blocks.11.out"));
  EXPECT_TRUE(fits_pattern("blocks.*.out", "blocks.1.attention.out"));
  EXPECT_TRUE(fits_pattern("blocks*out", "blocksout"));
  EXPECT_FALSE(fits_pattern("blocks.*.out", "blocks.out"));
  EXPECT_FALSE(fits_pattern("blocks.*.out", "blocks.1.outer"));
  EXPECT_TRUE(fits_pattern("*.out", "out.out.out")) << "the first .out is not the last";
  EXPECT_TRUE(fits_pattern("*a*b*", "xxaxaxbx"));
  EXPECT_FALSE(fits_pattern("*a*b*", "xxbxax"));
}

TEST(NamePattern, AQuestionMarkTakesOneCharacter) {
  EXPECT_TRUE(fits_pattern("layer?", "layer7"));
  EXPECT_FALSE(fits_pattern("layer?", "layer"));
  EXPECT_FALSE(fits_pattern("layer?", "layer12"));
  EXPECT_TRUE(fits_pattern("*?", "x"));
  EXPECT_FALSE(fits_pattern("*?", ""));
}

}  // namespace
