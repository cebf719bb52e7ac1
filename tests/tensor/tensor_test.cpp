#include <halfstep/tensor/print.hpp>

#include <gtest/gtest.h>

namespace {

using namespace halfstep;

std::vector<float> counting(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i);
  return values;
}
template <class T>
std::string text(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

TEST(Tensor, IsAHandleAndACopySharesTheElements) {
  Tensor<float> a = Tensor<float>::from(counting(6), {2, 3});
  Tensor<float> b = a;
  b.data()[4] = 40.0f;
  EXPECT_EQ(a.data()[4], 40.0f);
  EXPECT_FALSE(a.unique());
  b = {};
  EXPECT_TRUE(a.unique());
}

TEST(Tensor, SharesRowsAndReshapes) {
  Tensor<float> a = Tensor<float>::from(counting(12), {4, 3});
  Tensor<float> rows = a.rows(1, 2);
  EXPECT_EQ(rows.shape(), (Shape{2, 3}));
  EXPECT_EQ(rows.data()[0], 3.0f);
  rows.data()[0] = -1.0f;
  EXPECT_EQ(a.data()[3], -1.0f);
  EXPECT_EQ(a.reshaped({2, 6}).data(), a.data());
}

TEST(Tensor, KeepsItsMemoryAsLongAsAPartOfItLives) {
  Tensor<float> part;
  {
    const Tensor<float> whole = Tensor<float>::from(counting(1000), {1000});
    part = whole.rows(990, 10);
  }
  const Tensor<float> other(Shape{1000});
  EXPECT_NE(other.data(), part.data() - 990);
  EXPECT_EQ(part.data()[9], 999.0f);
}

TEST(Tensor, RefusesShapesThatDoNotFit) {
  Tensor<float> a(Shape{2, 3});
  EXPECT_THROW(static_cast<void>(a.reshaped({7})), ShapeError);
  EXPECT_THROW(static_cast<void>(a.rows(1, 2)), ShapeError);
  EXPECT_THROW(static_cast<void>(Tensor<float>::from(counting(5), {2, 3})), ShapeError);
}

TEST(Tensor, WithoutElementsIsEmptyOrOfSizeZero) {
  EXPECT_TRUE(Tensor<float>().empty());
  EXPECT_EQ(Tensor<float>().size(), 0);
  const Tensor<float> none(Shape{0, 3});
  EXPECT_EQ(none.size(), 0);
  EXPECT_EQ(text(none), "[] float [0, 3]");
}

TEST(Tensor, PrintsNestedBracketsItsTypeAndShape) {
  Tensor<bfloat16> a(Shape{2, 2});
  for (int i = 0; i < 4; ++i) a.data()[i] = bfloat16(static_cast<float>(i) + 0.5f);
  EXPECT_EQ(text(a), "[[0.5, 1.5], [2.5, 3.5]] bfloat16 [2, 2]");
  EXPECT_EQ(text(Tensor<float>::from(counting(9), {9})), "[0, 1, 2, ..., 6, 7, 8] float [9]");
}

TEST(Tensor, BecomesAVectorOfFloatsFromSixteenBits) {
  Tensor<float16> a(Shape{2});
  a.data()[0] = float16(1.5f);
  a.data()[1] = float16(65504.0f);
  EXPECT_EQ(to_vector(a), (std::vector<float>{1.5f, 65504.0f}));
}

TEST(View, OfWhatMayBeWrittenMayBeRead) {
  Tensor<float> a = Tensor<float>::from(counting(6), {2, 3});
  const View<const float> read = a.view();
  EXPECT_EQ(read.rows(1, 1).data()[0], 3.0f);
  EXPECT_THROW(static_cast<void>(read.rows(0, 3)), ShapeError);
  static_assert(!std::is_constructible_v<View<float>, View<const float>>);
}

}  // namespace
