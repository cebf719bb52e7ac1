#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/largest_gradient.hpp>

#include "support/gradients.hpp"

#include <limits>

namespace hs = halfstep;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;
using hs::test::values;

namespace {

TEST(Activation, Gradients) {
  const auto x = sample<double>({4, 5}, 1, -3.0, 3.0);
  expect_gradients([](const Exact& v) { return hs::relu(v); }, x);
  expect_gradients([](const Exact& v) { return hs::leaky_relu(v, 0.2); }, x);
  expect_gradients([](const Exact& v) { return hs::tanh(v); }, x);
  expect_gradients([](const Exact& v) { return hs::sigmoid(v); }, x);
  expect_gradients([](const Exact& v) { return hs::silu(v); }, x);
  expect_gradients([](const Exact& v) { return hs::softplus(v, 1.7); }, x);
  expect_gradients([](const Exact& v) { return hs::elu(v, 0.8); }, x);
  expect_gradients([](const Exact& v) { return hs::gelu(v); }, x);
  expect_gradients([](const Exact& v) { return hs::gelu(v, hs::Gelu::tanh); }, x);
}

TEST(Activation, TakesTheMemoryOfATemporary) {
  const Exact x = Exact::leaf(values<double>({-1, 2, -3, 4}, {4}));
  Exact h = x + x;
  const double* const memory = h.value().data();
  const Exact y = hs::relu(std::move(h));
  EXPECT_EQ(y.value().data(), memory);
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{0, 4, 0, 8}));
  propagate_ones(y);
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{0, 2, 0, 2}));
}

TEST(Activation, LeavesAValueThatOthersHold) {
  const Exact x = Exact::leaf(values<double>({-1, 2}, {2}));
  const Exact h = x + x;
  hs::relu(h);
  EXPECT_EQ(to_doubles(h.value()), (std::vector<double>{-2, 4}));
  // The derivative of tanh is taken from its result.
  expect_gradients([](const Exact& v) { return hs::sigmoid(hs::tanh(v)); },
                   sample<double>({4, 5}, 1));
  // An observer is shown what an operation read.
  hs::LargestGradient observer;
  const hs::ObserverScope scope(observer);
  Exact watched = x + x;
  const double* const memory = watched.value().data();
  EXPECT_NE(hs::relu(std::move(watched)).value().data(), memory);
}

TEST(Activation, LargeArgumentsStayFinite) {
  const Exact x = Exact::leaf(values<double>({-1e4, 1e4}, {2}));
  EXPECT_EQ(to_doubles(hs::softplus(x).value()), (std::vector<double>{0, 1e4}));
  EXPECT_EQ(to_doubles(hs::elu(x).value()), (std::vector<double>{-1, 1e4}));
  EXPECT_EQ(to_doubles(hs::sigmoid(x).value()), (std::vector<double>{0, 1}));
  const Exact y = hs::gelu(x, hs::Gelu::tanh);
  EXPECT_EQ(to_doubles(y.value()), (std::vector<double>{0, 1e4}));
  propagate_ones(hs::softplus(x));
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{0, 1}));
}

TEST(Activation, EluNearZeroDoesNotCancel) {
  using V = hs::Variable<float, hs::backend::Reference>;
  const V x = values<float>({-1e-6}, {1});
  // exp(x) - 1 in float would be off by up to 2^-24, a twentieth of the result.
  const double exact = std::expm1(static_cast<double>(-1e-6f));
  EXPECT_NEAR(to_doubles(hs::elu(x).value())[0], exact, 8 * 0x1p-24 * std::fabs(exact));
}

TEST(Activation, ReluStopsInfiniteGradientsWhereItIsOff) {
  const Exact x = Exact::leaf(values<double>({-1, 2}, {2}));
  const double inf = std::numeric_limits<double>::infinity();
  hs::autograd::propagate(hs::relu(x), values<double>({inf, inf}, {2}));
  EXPECT_EQ(to_doubles(x.gradient()), (std::vector<double>{0, inf}));
}

TEST(Activation, ReluKeepsNaN) {
  const Exact x = values<double>({std::numeric_limits<double>::quiet_NaN()}, {1});
  EXPECT_TRUE(std::isnan(to_doubles(hs::relu(x).value())[0]));
}

TEST(Activation, TheGradientTakesThePlaceOfTheUpstream) {
  const Exact x = Exact::leaf(sample<double>({64}, 3));
  const Exact first = hs::tanh(x);
  const Exact second = hs::relu(first);
  hs::Tensor<double> upstream = sample<double>({64}, 4);
  const double* memory = upstream.data();
  const Exact result = hs::sigmoid(second);
  // The only handle is the slot's: from there on nothing but this memory is written.
  result.slot()->give(std::exchange(upstream, {}));
  hs::autograd::Backward::run(hs::autograd::Handle<hs::autograd::Node>(result.slot().get()));
  EXPECT_EQ(x.gradient().data(), memory);
}

}  // namespace
