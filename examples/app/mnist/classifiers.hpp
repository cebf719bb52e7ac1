#pragma once

#include <app/mnist/run.hpp>

#include <halfstep/halfstep.hpp>

namespace app {

/// 784-512-512-10 with ReLU: images as rows of pixels.
template <class Setup>
struct Mlp : halfstep::nn::Module<Setup> {
  halfstep::nn::Linear<Setup> first{*this, "first", 784, 512};
  halfstep::nn::Linear<Setup> second{*this, "second", 512, 512};
  halfstep::nn::Linear<Setup> out{*this, "out", 512, 10};

  auto operator()(const halfstep::nn::Input<Setup>& x) const {
    return out(halfstep::relu(second(halfstep::relu(first(x)))));
  }
};

/// Two convolutions 3 x 3 of 32 and 64 filters, max-pool 2, 9216-128-10, with ReLU: rows of pixels
/// as images of 28 x 28.
template <class Setup>
struct Cnn : halfstep::nn::Module<Setup> {
  static constexpr auto layout = halfstep::ImageLayout::channels_last;

  halfstep::nn::Conv2d<Setup> first{*this, "first", 1, 32, 3, {.layout = layout}};
  halfstep::nn::Conv2d<Setup> second{*this, "second", 32, 64, 3, {.layout = layout}};
  halfstep::nn::MaxPool2d pool{2, {.layout = layout}};
  halfstep::nn::Linear<Setup> hidden{*this, "hidden", 9216, 128};
  halfstep::nn::Linear<Setup> out{*this, "out", 128, 10};

  auto operator()(const halfstep::nn::Input<Setup>& x) const {
    const auto images = halfstep::reshape(x, {-1, 28, 28, 1});
    const auto features = pool(halfstep::relu(second(halfstep::relu(first(images)))));
    return out(halfstep::relu(hidden(halfstep::nn::Flatten{}(features))));
  }
};

}  // namespace app
