#include <halfstep/autograd/matmul.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::Transposed;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(Matmul, GradientsOfAllTranspositions) {
  for (const bool a : {false, true})
    for (const bool b : {false, true}) {
      SCOPED_TRACE(testing::Message() << "transposed: " << a << " " << b);
      const auto left = sample<double>(a ? Shape{4, 3} : Shape{3, 4}, 1);
      const auto right = sample<double>(b ? Shape{5, 4} : Shape{4, 5}, 2);
      expect_gradients(
          [&](const Exact& x, const Exact& y) {
            return matmul(x, y, Transposed{a, b});
          },
          left, right);
    }
}

TEST(Matmul, GradientsOfBatches) {
  for (const bool a : {false, true})
    for (const bool b : {false, true}) {
      SCOPED_TRACE(testing::Message() << "transposed: " << a << " " << b);
      const auto left = sample<double>(a ? Shape{2, 3, 2} : Shape{2, 2, 3}, 3);
      const auto right = sample<double>(b ? Shape{2, 4, 3} : Shape{2, 3, 4}, 4);
      expect_gradients(
          [&](const Exact& x, const Exact& y) {
            return matmul(x, y, Transposed{a, b});
          },
          left, right);
    }
}

TEST(Matmul, OneMatrixServesABatch) {
  const auto left = sample<double>({2, 2, 3}, 5);
  expect_gradients([](const Exact& x, const Exact& y) { return matmul(x, y); }, left,
                   sample<double>({3, 4}, 6));
  expect_gradients(
      [](const Exact& x, const Exact& y) { return matmul(x, y, Transposed{.b = true}); }, left,
      sample<double>({4, 3}, 7));
  EXPECT_EQ(matmul(Exact(left), Exact(sample<double>({3, 4}, 6))).shape(), (Shape{2, 2, 4}));
}

TEST(Matmul, AnOperandTimesItselfSumsItsGradients) {
  expect_gradients([](const Exact& x) { return matmul(x, x); }, sample<double>({3, 3}, 8));
}

TEST(Matmul, Multiplies) {
  const Exact a = values<double>({1, 2, 3, 4}, {2, 2});
  const Exact b = values<double>({5, 6, 7, 8}, {2, 2});
  EXPECT_EQ(to_doubles(matmul(a, b).value()), (std::vector<double>{19, 22, 43, 50}));
}

TEST(Matmul, TheComputeTypeCanBeNamed) {
  using V = hs::Variable<hs::float16, hs::backend::Reference>;
  hs::Tensor<hs::float16> row({1, 4096}), column({4096, 1});
  for (auto& x : row.span()) x = hs::float16(1.0f);
  for (auto& x : column.span()) x = hs::float16(1.0f);
  EXPECT_EQ(to_doubles(hs::matmul(V(row), V(column)).value())[0], 4096.0);
  // A 16-bit sum stalls where one more is half a unit in the last place.
  EXPECT_EQ(to_doubles(hs::matmul<hs::float16>(V(row), V(column)).value())[0], 2048.0);
}

TEST(Matmul, RefusesWhatDoesNotFit) {
  const Exact a = sample<double>({2, 3}, 1);
  const Exact b = sample<double>({4, 5}, 2);
  try {
    matmul(a, b);
    FAIL() << "no error";
  } catch (const hs::ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "matmul: [2, 3] double times [4, 5] double: the inner extents 3 and 4 differ; "
                 "transpose an operand (Transposed{.a, .b}) or reshape it");
  }
  EXPECT_THROW(matmul(Exact(sample<double>({2, 3, 4}, 1)), Exact(sample<double>({3, 4, 5}, 1))),
               hs::ShapeError);
  EXPECT_THROW(matmul(Exact(sample<double>({3}, 1)), a), hs::ShapeError);
  EXPECT_THROW(matmul(Exact(hs::Tensor<double>(Shape{0, 3})), Exact(sample<double>({3, 2}, 1))),
               hs::ShapeError);
}

}  // namespace
