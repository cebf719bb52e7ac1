#include <halfstep/autograd/batch_norm.hpp>
#include <halfstep/autograd/linear.hpp>
#include <halfstep/backend/test_device.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(BatchNorm, Gradients) {
  for (const Shape& shape : {Shape{5, 3}, Shape{1, 3, 4}, Shape{2, 3, 1, 2}}) {
    SCOPED_TRACE(testing::Message() << shape);
    const auto x = sample<double>(shape, 1);
    expect_gradients(
        [](const Exact& a, const Exact& w, const Exact& b) { return hs::batch_norm(a, w, b).y; }, x,
        sample<double>({3}, 2), sample<double>({3}, 3));
    expect_gradients([](const Exact& a) { return hs::batch_norm(a).y; }, x);
  }
}

TEST(BatchNorm, GradientsWhereMeanAndVarianceAreGiven) {
  const auto mean = sample<double>({3}, 4);
  const auto variance = sample<double>({3}, 5, 0.5, 2.0);
  for (const Shape& shape : {Shape{1, 3}, Shape{2, 3, 4}})
    expect_gradients([&](const Exact& a, const Exact& w,
                         const Exact& b) { return hs::batch_norm(a, mean, variance, w, b); },
                     sample<double>(shape, 1), sample<double>({3}, 2), sample<double>({3}, 3));
}

TEST(BatchNorm, DividesByTheVarianceOverNAndReturnsTheOneOverNMinusOne) {
  const auto normalized = hs::batch_norm(Exact(values<double>({1, 3}, {2, 1})), {}, {}, 0.0);
  EXPECT_EQ(to_doubles(normalized.y.value()), (std::vector<double>{-1, 1}));
  EXPECT_EQ(to_doubles(normalized.mean), (std::vector<double>{2}));
  EXPECT_EQ(to_doubles(normalized.variance), (std::vector<double>{2}));
}

TEST(BatchNorm, RefusesOneValuePerChannelInTrainingOnly) {
  const Exact x(sample<double>({1, 3}, 1));
  try {
    hs::batch_norm(x);
    FAIL() << "one value has no variance";
  } catch (const hs::ShapeError& error) {
    for (const char* part : {"batch_norm", "[1, 3]", "one value per channel", "larger batches"})
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
  const auto ones = values<double>({1, 1, 1}, {3});
  EXPECT_EQ(hs::batch_norm(x, ones, ones, {}, {}).shape(), (Shape{1, 3}));
}

TEST(BatchNorm, RefusesShapesThatDoNotFit) {
  const Exact x(sample<double>({4, 3}, 1));
  const auto two = sample<double>({2}, 2), three = sample<double>({3}, 2, 0.5, 1.0);
  EXPECT_THROW(hs::batch_norm(x, Exact(two)), hs::ShapeError);
  EXPECT_THROW(hs::batch_norm(x, three, two, {}, {}), hs::ShapeError);
  EXPECT_THROW(hs::batch_norm(x, two, three, {}, {}), hs::ShapeError);
  EXPECT_THROW(hs::batch_norm(Exact(sample<double>({4}, 1))), hs::ShapeError);
  EXPECT_THROW(hs::batch_norm(Exact(hs::Tensor<double>({0, 3}))), hs::ShapeError);
}

template <class B, class T>
hs::TensorOf<T, B> on(const hs::Tensor<T>& host) {
  hs::TensorOf<T, B> tensor(host.shape());
  B::upload(host.span(), tensor.data());
  return tensor;
}

/// The gradient of a weight below all normalizations.
template <class B>
std::vector<double> gradient_below_normalizations() {
  using V = hs::Variable<double, B>;
  const V weight = V::leaf(on<B>(sample<double>({6, 6}, 2)));
  const V parameter = V::leaf(on<B>(sample<double>({6}, 3)));
  V h = hs::linear(V(on<B>(sample<double>({8, 6}, 1))), weight);
  h = hs::layer_norm(h, {6}, parameter, parameter);
  const auto normalized = hs::batch_norm(h, parameter, parameter);
  h = hs::group_norm(normalized.y, 2, parameter, parameter);
  h = hs::batch_norm(hs::rms_norm(h, {6}, parameter), normalized.mean, normalized.variance,
                     parameter, parameter);
  hs::autograd::propagate(h, on<B>(sample<double>({8, 6}, 4)));
  std::vector<double> gradient(36 + 6);
  B::download(weight.gradient().data(), std::span<double>(gradient).first(36));
  B::download(parameter.gradient().data(), std::span<double>(gradient).last(6));
  return gradient;
}

TEST(Normalization, NeverLooksAtTheDeviceFromTheHost) {
  EXPECT_EQ(gradient_below_normalizations<hs::backend::Delayed>(),
            gradient_below_normalizations<hs::backend::Reference>());
}

}  // namespace
