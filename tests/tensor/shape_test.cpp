#include <halfstep/tensor/shape.hpp>

#include <gtest/gtest.h>

namespace {

using halfstep::Shape;
using halfstep::ShapeError;

std::string text(const Shape& shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

TEST(Shape, OfAScalarHasRankZeroAndOneElement) {
  EXPECT_EQ(Shape{}.rank(), 0);
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ(text(Shape{}), "[]");
}

TEST(Shape, CountsAxesFromTheEndToo) {
  const Shape shape{2, 3, 5};
  EXPECT_EQ(shape[0], 2);
  EXPECT_EQ(shape[-1], 5);
  EXPECT_EQ(shape[-3], 2);
  EXPECT_EQ(shape.size(), 30);
  EXPECT_EQ(shape.size_between(1, 3), 15);
  EXPECT_EQ(text(shape), "[2, 3, 5]");
}

TEST(Shape, WithAZeroExtentHasNoElements) { EXPECT_EQ((Shape{4, 0, 3}).size(), 0); }

TEST(Shape, RefusesAnAxisThatIsNotThere) {
  const Shape shape{2, 3};
  EXPECT_THROW(shape[2], ShapeError);
  EXPECT_THROW(shape[-3], ShapeError);
}

TEST(Shape, RefusesANegativeExtentAndARankAboveTheLargest) {
  EXPECT_THROW((Shape{2, -1}), ShapeError);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1, 1}), ShapeError);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1}.with_last(1)), ShapeError);
}

TEST(Shape, ComparesRankAndExtents) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{3, 2}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{2, 3, 1}));
}

TEST(Shape, DropsAnAxis) {
  EXPECT_EQ((Shape{2, 3, 5}).without(1), (Shape{2, 5}));
  EXPECT_EQ((Shape{2, 3, 5}).without(-1), (Shape{2, 3}));
}

}  // namespace
