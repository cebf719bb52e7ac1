#include <halfstep/autograd/convolution.hpp>
#include <halfstep/backend/test_device.hpp>

#include "support/gradients.hpp"

namespace hs = halfstep;
using hs::ImageLayout;
using hs::Shape;
using hs::test::Exact;
using hs::test::expect_gradients;
using hs::test::sample;
using hs::test::to_doubles;

namespace {

struct Images {
  Shape x, weight;
  hs::Conv2dSettings settings;
};

// Padding, one image, odd extents, 1 x 1, dilation, a group for each channel, channels last.
TEST(Conv2d, Gradients) {
  for (const Images& images : {
           Images{{2, 2, 4, 5}, {3, 2, 3, 2}, {.stride = {2, 1}, .padding = {1, 2}}},
           Images{{1, 3, 3, 3}, {2, 3, 1, 1}, {}},
           Images{{1, 4, 5, 3}, {4, 1, 2, 2}, {.dilation = {3, 1}, .groups = 4}},
           Images{{2, 4, 3, 4}, {6, 2, 2, 3}, {.padding = 1, .groups = 2}},
           Images{{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
           Images{{2, 5, 4, 2},
                  {3, 2, 3, 3},
                  {.stride = 2, .padding = 1, .layout = ImageLayout::channels_last}},
       }) {
    SCOPED_TRACE(images.x[1]);
    const auto f = [&](const Exact& x, const Exact& weight, const Exact& bias) {
      return hs::conv2d(x, weight, bias, images.settings);
    };
    expect_gradients(f, sample<double>(images.x, 1), sample<double>(images.weight, 2),
                     sample<double>({images.weight[0]}, 3));
  }
}

TEST(Conv1d, Gradients) {
  const auto f = [](const Exact& x, const Exact& weight, const Exact& bias) {
    return hs::conv1d(x, weight, bias, {.stride = 2, .padding = 1, .dilation = 2, .groups = 2});
  };
  expect_gradients(f, sample<double>({2, 4, 7}, 1), sample<double>({2, 2, 3}, 2),
                   sample<double>({2}, 3));
}

TEST(ConvTranspose2d, Gradients) {
  const auto f = [](const Exact& x, const Exact& weight, const Exact& bias) {
    return hs::conv_transpose2d(x, weight, bias,
                                {.stride = {2, 3}, .padding = 1, .output_padding = {1, 0}});
  };
  expect_gradients(f, sample<double>({2, 3, 3, 2}, 1), sample<double>({3, 2, 3, 3}, 2),
                   sample<double>({2}, 3));
  const auto groups = [](const Exact& x, const Exact& weight) {
    return hs::conv_transpose2d(
        x, weight, {},
        {.stride = 2, .dilation = 2, .groups = 2, .layout = ImageLayout::channels_last});
  };
  expect_gradients(groups, sample<double>({1, 2, 3, 4}, 1), sample<double>({4, 3, 2, 2}, 2));
}

TEST(Conv2d, ASecondUseOfAWeightAndOfAnInputAddsToTheirGradients) {
  expect_gradients(
      [](const Exact& x, const Exact& weight, const Exact& bias) {
        const Exact once = hs::conv2d(x, weight, bias, {.padding = 1});
        return hs::conv2d(hs::conv_transpose2d(once, weight, bias, {.padding = 1}), weight, bias);
      },
      sample<double>({1, 2, 3, 3}, 1), sample<double>({2, 2, 3, 3}, 2), sample<double>({2}, 3));
}

TEST(Conv2d, OfOneRowIsAConv1d) {
  const auto x = sample<double>({2, 3, 9}, 1);
  const auto weight = sample<double>({4, 3, 3}, 2);
  const Exact y = hs::conv1d(Exact(x), Exact(weight), Exact(), {.padding = 2, .dilation = 2});
  const Exact rows =
      hs::conv2d(Exact(x.reshaped({2, 3, 1, 9})), Exact(weight.reshaped({4, 3, 1, 3})), Exact(),
                 {.padding = {0, 2}, .dilation = {1, 2}});
  EXPECT_EQ(y.shape(), (Shape{2, 4, 9}));
  EXPECT_EQ(to_doubles(y.value()), to_doubles(rows.value()));
}

template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const hs::ShapeError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Conv2d, RefusesWhatDoesNotFit) {
  const Exact x = sample<double>({1, 3, 4, 4}, 1);
  EXPECT_EQ(message_of([&] {
              hs::conv2d(x, Exact(sample<double>({2, 3, 5, 3}, 2)));
            }),
            "conv2d: x [1, 3, 4, 4] double and the weight [2, 3, 5, 3] double: the kernel reaches "
            "over 5 x 3 and the padded input is 4 x 4; pad more, or use a smaller kernel or "
            "dilation");
  const Exact weight = sample<double>({4, 3, 3, 3}, 2);
  const hs::NameScope layer("encoder.first");
  EXPECT_EQ(message_of([&] { hs::conv2d(x, weight, Exact(), {.groups = 2}); }),
            "encoder.first: conv2d: x [1, 3, 4, 4] double and the weight [4, 3, 3, 3] double: 3 "
            "channels and 4 filters are not divisible by 2 groups; choose a number of groups that "
            "divides both");
  EXPECT_NE(message_of([&] { hs::conv2d(x, Exact(sample<double>({4, 2, 3, 3}, 2))); }), "no error");
  EXPECT_NE(message_of([&] { hs::conv2d(x, weight, Exact(sample<double>({3}, 3))); }), "no error");
  EXPECT_NE(message_of([&] { hs::conv2d(x, weight, Exact(), {.stride = 0}); }), "no error");
  EXPECT_NE(message_of([&] {
              hs::conv2d(Exact(sample<double>({3, 4, 4}, 1)), weight);
            }),
            "no error");
  EXPECT_NE(message_of([&] {
              hs::conv_transpose2d(x, Exact(sample<double>({3, 2, 3, 3}, 2)), Exact(),
                                   {.stride = 2, .output_padding = 2});
            }),
            "no error");
}

template <class B>
std::vector<double> gradient_of_a_network() {
  using V = hs::Variable<double, B>;
  const auto on = [](const hs::Tensor<double>& host) {
    hs::TensorOf<double, B> tensor(host.shape());
    B::upload(host.span(), tensor.data());
    return tensor;
  };
  const V weight = V::leaf(on(sample<double>({3, 2, 3, 3}, 1)));
  const V bias = V::leaf(on(sample<double>({3}, 2)));
  const V y = hs::conv2d(V(on(sample<double>({2, 2, 5, 4}, 3))), weight, bias, {.padding = 1});
  const V back = hs::conv_transpose2d(y, weight);
  hs::autograd::propagate(back, on(sample<double>(back.shape(), 4)));
  std::vector<double> gradient(54);
  B::download(weight.gradient().data(), std::span<double>(gradient));
  return gradient;
}

TEST(Conv2d, NeverLooksAtTheDeviceFromTheHost) {
  EXPECT_EQ(gradient_of_a_network<hs::backend::Delayed>(),
            gradient_of_a_network<hs::backend::Reference>());
}

}  // namespace
