#include <halfstep/autograd/debug_scope.hpp>

#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/backward.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/matmul.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/backend/test_device.hpp>
#include <halfstep/nn/linear.hpp>

#include <gtest/gtest.h>

#include "support/samples.hpp"

namespace hs = halfstep;
using hs::Shape;
using hs::backend::Reference;

namespace {

template <class T>
hs::Variable<T, Reference> leaf(const std::vector<float>& values, const Shape& shape) {
  hs::Tensor<T> tensor(shape);
  for (std::size_t i = 0; i < values.size(); ++i) tensor.data()[i] = hs::storage_cast<T>(values[i]);
  return hs::Variable<T, Reference>::leaf(tensor);
}

/// Runs f, which must be stopped, with a message that has all of these in it.
template <class F>
void expect_named(const F& f, const std::vector<std::string>& fragments) {
  try {
    f();
    FAIL() << "nothing was thrown";
  } catch (const hs::NonFiniteError& error) {
    const std::string text = error.what();
    for (const std::string& fragment : fragments)
      EXPECT_NE(text.find(fragment), std::string::npos) << "'" << fragment << "': " << text;
  }
}

TEST(DebugScope, NamesTheOperationInTheMiddleThatFirstMadeAnInfinity) {
  const auto x = leaf<float>({1.0f, 0.0f, 4.0f, -2.0f}, {2, 2});
  const auto forward = [&] { return hs::sum(hs::exp(hs::log(hs::relu(x)) * 2.0)); };
  EXPECT_FALSE(std::isnan(forward().value().data()[0])) << "exp(-inf) = 0: nobody would see it";
  const hs::DebugScope debug;
  expect_named(forward, {"DebugScope", "the operation 'log' made 'log' [2, 2] float",
                         "with 2 inf and 0 NaN of 4", "'relu' [2, 2] float in [0, 4]"});
}

TEST(DebugScope, NamesAProductThatOverflowsFloat16) {
  const auto a = leaf<hs::float16>({300.0f, -300.0f}, {1, 2});
  const auto b = leaf<hs::float16>({300.0f, 1.0f}, {2, 1});
  const hs::DebugScope debug;
  expect_named([&] { static_cast<void>(hs::matmul(a, b)); },
               {"'matmul' [1, 1] float16 with 1 inf", "'leaf' [1, 2] float16 in [-300, 300]",
                "'leaf' [2, 1] float16 in [1, 300]"});
}

TEST(DebugScope, NamesTheBackwardThatFirstMadeAnInfinity) {
  const auto x = leaf<float>({1.0f, -3.0f, 4.0f}, {3});
  const hs::DebugScope debug;
  // sqrt(0) = 0 is fine, and its slope is not.
  const auto loss = hs::sum(hs::sqrt(hs::relu(x)) * 3.0);
  expect_named(
      [&] { hs::backward(loss); },
      {"the backward of 'sqrt' made the gradient of 'relu' [3] float", "with 1 inf",
       "the upstream gradient of 'sqrt' [3] float in [3, 3]", "'relu' [3] float in [0, 4]"});
  // Everything can be used on.
  const auto again = hs::sum(hs::sqrt(hs::relu(x) + 1.0));
  hs::backward(again);
  EXPECT_FLOAT_EQ(x.gradient().data()[0], 0.5f / std::sqrt(2.0f));
}

TEST(DebugScope, LeavesGradientsOutWhereItIsAskedTo) {
  const auto x = leaf<float>({0.0f}, {1});
  const hs::DebugScope debug({.gradients = false});
  hs::backward(hs::sum(hs::sqrt(x)));
  EXPECT_TRUE(std::isinf(x.gradient().data()[0]));
  expect_named([&] { static_cast<void>(hs::log(x)); }, {"'log'"});
}

TEST(DebugScope, SaysWhichInputWasBadAlready) {
  const auto x = leaf<float>({NAN, 1.0f}, {2});
  const hs::DebugScope debug;
  expect_named([&] { static_cast<void>(x + x); },
               {"'+' [2] float in [2, 2] with 0 inf and 1 NaN of 2",
                "it had 'leaf' [2] float in [1, 1] with 0 inf and 1 NaN of 2"});
}

TEST(DebugScope, EndsWithItsLife) {
  const auto x = leaf<float>({0.0f}, {1});
  { const hs::DebugScope debug; }
  EXPECT_TRUE(std::isinf(hs::log(x).value().data()[0]));
}

using S = hs::Setup<hs::MixedFp16, Reference>;
struct Net : hs::nn::Module<S> {
  hs::nn::Linear<S> hidden{*this, "hidden", 2, 3};
  hs::nn::Linear<S> out{*this, "out", 3, 1};
  /// offset = 0 gives the square root's backward a 0.
  auto loss(const hs::nn::Input<S>& x, double offset) const {
    const auto h = hidden(x);
    return hs::mean(hs::cast<float>(out(hs::sqrt(offset == 0.0 ? h * 0.0 : h * h + offset))));
  }
};

/// All that a token reads, one arena after the other.
template <class Gradients>
std::vector<double> arenas(Gradients& gradients) {
  std::vector<double> values;
  gradients.for_each_arena([&](auto&, const auto& arena) {
    for (hs::Index i = 0; i < arena.size(); ++i)
      values.push_back(hs::storage_cast<double>(arena.data()[i]));
  });
  return values;
}

TEST(DebugScope, LosesNoTokenAndNoModel) {
  Net net;
  const hs::nn::Input<S> x = leaf<hs::float16>({1.0f, 2.0f}, {1, 2}).value();
  hs::Tensor<double> scale(Shape{1});
  scale.data()[0] = 1024.0;
  const auto scaled = [&](double offset) {
    return hs::ScaledLoss<float, S>{net.loss(x, offset), net.parameters(), scale};
  };
  const hs::DebugScope debug;
  const std::vector<std::string> at_sqrt{"the backward of 'sqrt' made the gradient of"};
  expect_named([&] { static_cast<void>(hs::backward(scaled(0.0))); }, at_sqrt);
  auto gradients = hs::backward(scaled(1.0));
  const std::vector<double> once = arenas(gradients);
  // A second loss is stopped when some of its gradients were written already.
  expect_named([&] { gradients = hs::backward(scaled(0.0), std::move(gradients)); }, at_sqrt);
  EXPECT_EQ(arenas(gradients), once);
  gradients = hs::backward(scaled(1.0), std::move(gradients));
  const std::vector<double> twice = arenas(gradients);
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(twice[i], 2.0 * once[i]);
}

TEST(DebugScope, LooksAtADeviceThatIsLate) {
  using D = hs::backend::Delayed;
  const std::vector<float> values{0.0f, 1.0f};
  hs::TensorOf<float, D> x(Shape{2});
  D::upload(std::span<const float>(values), x.data());
  const auto leaf = hs::Variable<float, D>::leaf(x);
  const hs::DebugScope debug;
  expect_named([&] { static_cast<void>(hs::log(hs::relu(leaf))); },
               {"'log' [2] float in [0, 0] with 1 inf", "'relu' [2] float in [0, 1]"});
}

}  // namespace
