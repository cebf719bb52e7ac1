#include <halfstep/numeric/float16.hpp>

#include "storage_types_body.hpp"

namespace hs = halfstep;

INSTANTIATE_TYPED_TEST_SUITE_P(Float16, StorageType, hs::float16);

TEST(Float16, KnownPatterns) {
  EXPECT_EQ(hs::float16(1.0f).bits, 0x3C00);
  EXPECT_EQ(hs::float16(-2.0f).bits, 0xC000);
  EXPECT_EQ(hs::float16(65504.0f).bits, 0x7BFF);
  EXPECT_EQ(hs::float16(65520.0f).bits, 0x7C00);
  EXPECT_EQ(hs::float16(0x1p-24f).bits, 0x0001);
  EXPECT_EQ(hs::float16(0x1p-25f).bits, 0x0000);
  EXPECT_EQ(hs::float16(0x1.000002p-25f).bits, 0x0001);
  EXPECT_EQ(hs::float16(0x1.ff8p-15f).bits, 0x03FF);
  EXPECT_EQ(hs::float16(0x1.ffcp-15f).bits, 0x0400);
}

TEST(Float16, KeepsTheUpperPayloadOfNanAsTheHardwareDoes) {
  EXPECT_EQ(hs::float16(float_of(0x7F802000u)).bits, 0x7E01);
  EXPECT_EQ(hs::float16(float_of(0xFFC00000u)).bits, 0xFE00);
  EXPECT_EQ(word_of(static_cast<float>(hs::float16::from_bits(0x7C01))), 0x7FC02000u);
}
