#include <halfstep/numeric/bfloat16.hpp>

#include "storage_types_body.hpp"

namespace hs = halfstep;

INSTANTIATE_TYPED_TEST_SUITE_P(Bfloat16, StorageType, hs::bfloat16);

TEST(Bfloat16, KnownPatterns) {
  EXPECT_EQ(hs::bfloat16(1.0f).bits, 0x3F80);
  EXPECT_EQ(hs::bfloat16(-2.0f).bits, 0xC000);
  EXPECT_EQ(hs::bfloat16(0x1.FEp127f).bits, 0x7F7F);
  EXPECT_EQ(hs::bfloat16(0x1.FFp127f).bits, 0x7F80);
  EXPECT_EQ(hs::bfloat16(1e-39f).bits, 0x000B);
  EXPECT_EQ(hs::bfloat16(float_of(0x00008000u)).bits, 0x0000);
  EXPECT_EQ(hs::bfloat16(float_of(0x00008001u)).bits, 0x0001);
  EXPECT_EQ(hs::bfloat16(float_of(0x00018000u)).bits, 0x0002);
}

TEST(Bfloat16, KeepsTheUpperPayloadOfNanAsTheHardwareDoes) {
  EXPECT_EQ(hs::bfloat16(float_of(0x7F800001u)).bits, 0x7FC0);
  EXPECT_EQ(hs::bfloat16(float_of(0x7FFFFFFFu)).bits, 0x7FFF);
  EXPECT_EQ(hs::bfloat16(float_of(0xFF810000u)).bits, 0xFFC1);
}
