#include <halfstep/backend/reference.hpp>
#include <halfstep/ops/gemm.hpp>

#include <gtest/gtest.h>

#include <string>

namespace hs = halfstep;
using B = hs::backend::Reference;
using hs::Shape;
using Tensor = hs::Tensor<float>;

namespace {

Tensor counting(const Shape& shape) {
  Tensor tensor(shape);
  float next = 1.0f;
  for (float& x : tensor.span()) x = next++;
  return tensor;
}

std::string refusal(const Shape& a, const Shape& b, const Shape& c,
                    hs::GemmSettings settings = {}) {
  Tensor left = counting(a), right = counting(b), out = counting(c);
  try {
    hs::gemm<B, float>(left.view(), right.view(), out.view(), settings);
  } catch (const hs::ShapeError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(GemmDoor, MultipliesMatricesAndTheirTransposes) {
  const Tensor a = counting({2, 3}), b = counting({3, 2});
  Tensor c(Shape{2, 2});
  hs::gemm<B, float>(a.view(), b.view(), c.view());
  EXPECT_EQ(std::vector<float>(c.span().begin(), c.span().end()),
            (std::vector<float>{22, 28, 49, 64}));
  hs::gemm<B, float>(a.view(), a.view(), c.view(), {.transpose_b = true});
  EXPECT_EQ(std::vector<float>(c.span().begin(), c.span().end()),
            (std::vector<float>{14, 32, 32, 77}));
  hs::gemm<B, float>(b.view(), b.view(), c.view(), {.transpose_a = true, .beta = 1.0f});
  EXPECT_EQ(std::vector<float>(c.span().begin(), c.span().end()),
            (std::vector<float>{49, 76, 76, 133}));
}

TEST(GemmDoor, MultipliesBatchesAndAddsABias) {
  const Tensor a = counting({2, 1, 2}), b = counting({2, 2, 1}), bias = counting({1});
  Tensor c(Shape{2, 1, 1});
  hs::gemm<B, float>(a.view(), b.view(), c.view(), bias.view());
  EXPECT_EQ(c.data()[0], 6.0f);
  EXPECT_EQ(c.data()[1], 26.0f);
}

TEST(GemmDoor, NamesShapesTypesAndTheRemedyWhenExtentsDiffer) {
  const std::string message = refusal({2, 3}, {4, 5}, {2, 5});
  for (const char* part : {"gemm", "[2, 3]", "[4, 5]", "float", "inner extents 3 and 4", "check"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_NE(refusal({2, 3}, {3, 5}, {5, 2}).find("[2, 5]"), std::string::npos);
  EXPECT_NE(refusal({2, 3}, {2, 3}, {2, 2}, {.transpose_a = true}), "");
  EXPECT_NE(refusal({2, 2, 3}, {3, 3, 5}, {2, 2, 5}).find("batches"), std::string::npos);
  EXPECT_NE(refusal({6}, {6}, {1}).find("reshape"), std::string::npos);
  EXPECT_EQ(refusal({2, 3}, {3, 5}, {2, 5}), "");
}

TEST(GemmDoor, RefusesABiasOfAnotherWidthAndAResultOverItsOperands) {
  const Tensor a = counting({2, 2}), bias = counting({3});
  Tensor c = counting({2, 2});
  EXPECT_THROW((hs::gemm<B, float>(a.view(), a.view(), c.view(), bias.view())), hs::ShapeError);
  EXPECT_THROW((hs::gemm<B, float>(a.view(), c.view(), c.view())), hs::ShapeError);
}
