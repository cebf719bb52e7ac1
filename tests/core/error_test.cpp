#include <halfstep/core/error.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hs = halfstep;

TEST(Error, MessageIsThePartsInOrder) {
  try {
    hs::fail<hs::ShapeError>("matmul: [", 2, ", ", 3, "] x [", 4, ", ", 5, "]");
    FAIL() << "fail returned";
  } catch (const hs::ShapeError& error) {
    EXPECT_STREQ(error.what(), "matmul: [2, 3] x [4, 5]");
  }
}

TEST(Error, EveryKindIsCaughtAsError) {
  EXPECT_THROW(hs::fail<hs::ShapeError>(""), hs::Error);
  EXPECT_THROW(hs::fail<hs::PrecisionError>(""), hs::Error);
  EXPECT_THROW(hs::fail<hs::DataError>(""), hs::Error);
  EXPECT_THROW(hs::fail<hs::IoError>(""), hs::Error);
  EXPECT_THROW(hs::fail<hs::BackendError>(""), hs::Error);
  EXPECT_THROW(hs::fail<hs::NonFiniteError>(""), hs::Error);
  EXPECT_THROW(hs::fail<hs::UsageError>(""), hs::Error);
}
