#include <halfstep/autograd/normalization.hpp>
#include <halfstep/autograd/observer.hpp>

#include <cmath>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

/// The message of the ShapeError that f throws.
template <class F>
std::string shape_error(const F& f) {
  try {
    f();
  } catch (const hs::ShapeError& error) {
    return error.what();
  }
  return "no ShapeError";
}

TEST(LayerNorm, Gradients) {
  for (const Shape& shape : {Shape{3, 5}, Shape{1, 2}, Shape{2, 3, 4}}) {
    const auto x = sample<double>(shape, 1);
    const Shape last{shape[-1]};
    const auto weight = sample<double>(last, 2), bias = sample<double>(last, 3);
    expect_gradients([&](const Exact& a, const Exact& w,
                         const Exact& b) { return hs::layer_norm(a, last, w, b); },
                     x, weight, bias);
    expect_gradients([&](const Exact& a) { return hs::layer_norm(a, last); }, x);
  }
}

TEST(LayerNorm, GoesOverSeveralAxes) {
  const auto x = sample<double>({2, 3, 4}, 1);
  const auto weight = sample<double>({3, 4}, 2), bias = sample<double>({3, 4}, 3);
  const auto y = hs::layer_norm(Exact(x), {3, 4}, Exact(weight), Exact(bias));
  const auto flat = hs::layer_norm(Exact(x.reshaped({2, 12})), {12}, Exact(weight.reshaped({12})),
                                   Exact(bias.reshaped({12})));
  EXPECT_EQ(y.shape(), (Shape{2, 3, 4}));
  EXPECT_EQ(to_doubles(y.value()), to_doubles(flat.value()));
}

TEST(LayerNorm, OfOneElementIsItsBias) {
  const auto y = hs::layer_norm(Exact(values<double>({3, -5}, {2, 1})), {1},
                                Exact(values<double>({2}, {1})), Exact(values<double>({7}, {1})));
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{7, 7}));
}

TEST(LayerNorm, TakesTheVarianceOverN) {
  // 1 and 3: the mean is 2, the variance 1.
  const auto y = hs::layer_norm(Exact(values<double>({1, 3}, {1, 2})), {2}, {}, {}, 0.0);
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{-1, 1}));
}

TEST(LayerNorm, AddsToAGradientThatIsThere) {
  const auto x = sample<double>({3, 5}, 1);
  const auto weight = sample<double>({5}, 2);
  expect_gradients(
      [&](const Exact& a, const Exact& w) {
        return hs::layer_norm(hs::layer_norm(a, {5}, w, w), {5}, w);
      },
      x, weight);
}

TEST(LayerNorm, NamesShapesLayerAndRemedy) {
  const Exact x(sample<double>({2, 5}, 1));
  const hs::NameScope layer("block.norm");
  const std::string message = shape_error([&] { hs::layer_norm(x, {4}); });
  for (const char* part : {"layer_norm of 'block.norm'", "[2, 5] double", "[4]", "last extents"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_NE(shape_error([&] { hs::layer_norm(x, {3, 2, 5}); }), "no ShapeError");
  EXPECT_NE(shape_error([&] { hs::layer_norm(x, Shape{}); }), "no ShapeError");
  EXPECT_NE(shape_error([&] { hs::layer_norm(x, {5}, Exact(sample<double>({4}, 1))); }),
            "no ShapeError");
  EXPECT_NE(shape_error([&] {
              hs::layer_norm(x, {5}, {}, Exact(sample<double>({1, 5}, 1)));
            }),
            "no ShapeError");
  EXPECT_NE(shape_error([&] {
              hs::layer_norm(Exact(hs::Tensor<double>({0, 5})), {5});
            }),
            "no ShapeError");
  EXPECT_THROW(hs::layer_norm(x, {5}, {}, {}, -1.0), hs::UsageError);
}

TEST(RmsNorm, Gradients) {
  const auto x = sample<double>({3, 5}, 1);
  const auto weight = sample<double>({5}, 2);
  expect_gradients([](const Exact& a, const Exact& w) { return hs::rms_norm(a, {5}, w); }, x,
                   weight);
  expect_gradients([](const Exact& a) { return hs::rms_norm(a, {5}); }, x);
}

TEST(RmsNorm, KeepsTheMean) {
  const auto y = hs::rms_norm(Exact(values<double>({3, 3}, {1, 2})), {2}, {}, 0.0);
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{1, 1}));
}

TEST(GroupNorm, Gradients) {
  for (const Shape& shape : {Shape{2, 4, 3}, Shape{1, 4, 1}, Shape{3, 4}, Shape{2, 4, 2, 3}})
    for (const hs::Index groups : {1, 2}) {
      SCOPED_TRACE(testing::Message() << shape << " in " << groups);
      expect_gradients([&](const Exact& a, const Exact& w,
                           const Exact& b) { return hs::group_norm(a, groups, w, b); },
                       sample<double>(shape, 1), sample<double>({4}, 2), sample<double>({4}, 3));
    }
}

TEST(GroupNorm, OfOneGroupIsLayerNormOverAllChannelsAndPositions) {
  const auto x = sample<double>({2, 4, 3}, 1);
  EXPECT_EQ(to_doubles(hs::group_norm(Exact(x), 1).value()),
            to_doubles(hs::layer_norm(Exact(x), {4, 3}).value()));
}

TEST(GroupNorm, NamesChannelsThatItsGroupsDoNotDivide) {
  const Exact x(sample<double>({2, 5, 3}, 1));
  const std::string message = shape_error([&] { hs::group_norm(x, 2); });
  for (const char* part : {"group_norm", "5 channels", "[2, 5, 3]", "2 groups", "divide"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_NE(shape_error([&] { hs::group_norm(x, 0); }), "no ShapeError");
  EXPECT_NE(shape_error([&] { hs::group_norm(Exact(sample<double>({4}, 1)), 2); }),
            "no ShapeError");
}

TEST(LayerNorm, Of16BitsHasFp32ParametersAndOneRounding) {
  using V = hs::Variable<hs::float16, hs::backend::Reference>;
  using P = hs::Variable<float, hs::backend::Reference>;
  const auto x = sample<hs::float16>({4, 8}, 1);
  // 1 + 2^-20 is no 16-bit number, and its gradient is no sum of 16-bit numbers.
  hs::Tensor<float> w(Shape{8});
  for (float& value : w.span()) value = 1.0f + 0x1p-20f;
  const auto weight = P::leaf(w);
  const auto y = hs::layer_norm(V(x), {8}, weight);
  const auto wide = hs::layer_norm(P(hs::test::converted<float>(x)), {8}, P(w));
  for (hs::Index i = 0; i < y.size(); ++i)
    EXPECT_EQ(static_cast<float>(y.value().data()[i]),
              static_cast<float>(hs::storage_cast<hs::float16>(wide.value().data()[i])));
  hs::test::propagate_ones(y);
  EXPECT_EQ(weight.gradient().shape(), Shape{8});
}

}  // namespace
