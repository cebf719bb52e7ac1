#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/feed_forward.hpp>
#include <halfstep/autograd/linear.hpp>
#include <halfstep/backend/eigen.hpp>
#include <halfstep/backend/grid/host_grid.hpp>
#include <halfstep/backend/test_device.hpp>
#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#endif

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/gradients.hpp"
#include "support/on_device.hpp"

namespace hs = halfstep;
using hs::HiddenActivation;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::on_device;
using hs::test::on_host;
using hs::test::propagate_ones;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

constexpr HiddenActivation activations[] = {HiddenActivation::relu, HiddenActivation::gelu_tanh};

TEST(FeedForward, Gradients) {
  const auto x = sample<double>({2, 3, 4}, 1);
  const auto in_weight = sample<double>({6, 4}, 2), out_weight = sample<double>({5, 6}, 4);
  const auto in_bias = sample<double>({6}, 3), out_bias = sample<double>({5}, 5);
  for (const HiddenActivation activation : activations) {
    expect_gradients([&](const Exact& v, const Exact& w, const Exact& b, const Exact& w2,
                         const Exact& b2) { return hs::feed_forward(v, w, b, w2, b2, activation); },
                     x, in_weight, in_bias, out_weight, out_bias);
    expect_gradients(
        [&](const Exact& v, const Exact& w, const Exact& w2) {
          return hs::feed_forward(v, w, Exact(), w2, Exact(), activation);
        },
        x, in_weight, out_weight);
  }
}

TEST(FeedForward, ASecondUseOfAParameterAddsToItsGradient) {
  for (const HiddenActivation activation : activations)
    expect_gradients(
        [&](const Exact& x, const Exact& w, const Exact& b) {
          return hs::feed_forward(hs::feed_forward(x, w, b, w, b, activation), w, b, w, b,
                                  activation);
        },
        sample<double>({3, 4}, 7), sample<double>({4, 4}, 8), sample<double>({4}, 9));
}

/// A result, and the gradients of x and the four parameters.
using Numbers = std::vector<std::vector<double>>;

template <class S, class B, class F>
Numbers numbers_of(const F& f) {
  using V = hs::Variable<S, B>;
  const V inputs[] = {
      V::leaf(on_device<B>(sample<S>({9, 12}, 1))), V::leaf(on_device<B>(sample<S>({33, 12}, 2))),
      V::leaf(on_device<B>(sample<S>({33}, 3))), V::leaf(on_device<B>(sample<S>({7, 33}, 4))),
      V::leaf(on_device<B>(sample<S>({7}, 5)))};
  const V y = f(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]);
  hs::autograd::propagate(y, on_device<B>(sample<S>({9, 7}, 6)));
  Numbers numbers;
  const auto add = [&](const hs::TensorOf<S, B>& tensor) {
    numbers.push_back(to_doubles(hs::Tensor<S>::from(on_host<B>(tensor), tensor.shape())));
  };
  add(y.value());
  for (const V& input : inputs) add(input.gradient());
  return numbers;
}

/// Separate epilogues round where the layers one by one do, and nowhere else.
template <class S, class B>
void expect_the_layers_bits() {
  static_assert(std::is_base_of_v<hs::backend::SeparateEpilogues<B>, B>);
  for (const HiddenActivation activation : activations) {
    const auto whole = numbers_of<S, B>(
        [&](const auto&... inputs) { return hs::feed_forward(inputs..., activation); });
    const auto parts = numbers_of<S, B>(
        [&](const auto& x, const auto& w, const auto& b, const auto& w2, const auto& b2) {
          const bool gelu = activation == HiddenActivation::gelu_tanh;
          const auto before = hs::linear(x, w, b);
          return hs::linear(gelu ? hs::gelu(before, hs::Gelu::tanh) : hs::relu(before), w2, b2);
        });
    EXPECT_EQ(whole, parts) << B::name << ", " << hs::numeric_traits<S>::name;
  }
}

template <class B>
void expect_the_layers_bits_in_every_type() {
  expect_the_layers_bits<float, B>();
  expect_the_layers_bits<hs::float16, B>();
  expect_the_layers_bits<hs::bfloat16, B>();
}

TEST(FeedForward, IsItsLayersToTheBit) {
  expect_the_layers_bits_in_every_type<hs::backend::Reference>();
  expect_the_layers_bits_in_every_type<hs::backend::Eigen>();
#if defined(HALFSTEP_ONEDNN)
  expect_the_layers_bits_in_every_type<hs::backend::OneDnn>();
#endif
  expect_the_layers_bits_in_every_type<hs::backend::HostGrid>();
  expect_the_layers_bits<hs::bfloat16, hs::backend::Delayed>();
}

TEST(FeedForward, NanReachesTheWeightsGradients) {
  auto x = sample<double>({3, 4}, 1);
  x.data()[5] = std::numeric_limits<double>::quiet_NaN();
  for (const HiddenActivation activation : activations) {
    const Exact w = Exact::leaf(sample<double>({6, 4}, 2)), b = Exact::leaf(sample<double>({6}, 3));
    const Exact w2 = Exact::leaf(sample<double>({5, 6}, 4));
    propagate_ones(hs::feed_forward(Exact(x), w, b, w2, Exact(), activation));
    for (const Exact& leaf : {w, w2}) {
      const auto gradient = to_doubles(leaf.gradient());
      EXPECT_TRUE(
          std::any_of(gradient.begin(), gradient.end(), [](double g) { return std::isnan(g); }));
    }
  }
}

TEST(FeedForward, TakesNoMemoryForTheGradientOfGelusInput) {
  // [rows, hidden] numbers are what counts here: GELU's input, its output, and at no time a third.
  using V = hs::Variable<float, hs::backend::Reference>;
  const V w = V::leaf(sample<float>({256, 2}, 2)), b = V::leaf(sample<float>({256}, 3));
  const V w2 = V::leaf(sample<float>({2, 256}, 4));
  auto& pool = hs::device::Cpu::pool();
  const auto before = pool.use().in_use;
  pool.reset_peak();
  propagate_ones(
      hs::feed_forward(V(sample<float>({512, 2}, 1)), w, b, w2, V(), HiddenActivation::gelu_tanh));
  const std::size_t hidden = 512 * 256 * sizeof(float);
  EXPECT_GE(pool.use().peak - before, 2 * hidden);
  EXPECT_LT(pool.use().peak - before, 3 * hidden);
}

TEST(FeedForward, RefusesWhatDoesNotFit) {
  const auto of = [](const Shape& shape) { return Exact(sample<double>(shape, 1)); };
  const Exact x = of({2, 3}), w = of({6, 3}), b = of({6}), w2 = of({5, 6}), b2 = of({5});
  constexpr auto relu = HiddenActivation::relu;
  try {
    hs::feed_forward(x, w, b, of({6, 5}), b2, relu);
    FAIL() << "no error";
  } catch (const hs::ShapeError& error) {
    EXPECT_STREQ(error.what(),
                 "feed_forward: the second weight [6, 5] double does not fit the first one [6, 3] "
                 "double; they are [out, hidden] and [hidden, in]");
  }
  EXPECT_THROW(hs::feed_forward(x, of({6, 2}), b, w2, b2, relu), hs::ShapeError);
  EXPECT_THROW(hs::feed_forward(x, w, b2, w2, b2, relu), hs::ShapeError);
  EXPECT_THROW(hs::feed_forward(x, w, b, w2, b, relu), hs::ShapeError);
  EXPECT_THROW(hs::feed_forward(Exact(hs::Tensor<double>(Shape{0, 3})), w, b, w2, b2, relu),
               hs::ShapeError);
}

}  // namespace
