#pragma once

#include <app/mnist/run.hpp>

#include <halfstep/halfstep.hpp>

#include <optional>

namespace app {

// Classifiers of images [batch, height, width, channels] into ten classes. Each is built for images
// of one shape, [height, width, channels].

inline constexpr auto image_layout = halfstep::ImageLayout::channels_last;

/// How a classifier is trained where the command line does not say it.
struct Recipe {
  double rate_factor = 1.0;  ///< on the optimizer's usual learning rate
  double last_rate = 1.0;    ///< what half a cosine takes the rate to, as a part of the first one
};

/// 512-512-10 with ReLU over all pixels.
template <class Setup>
struct Mlp : halfstep::nn::Module<Setup> {
  static constexpr Recipe recipe{};

  explicit Mlp(const halfstep::Shape& image) : first(*this, "first", image.size(), 512) {}

  halfstep::nn::Linear<Setup> first;
  halfstep::nn::Linear<Setup> second{*this, "second", 512, 512};
  halfstep::nn::Linear<Setup> out{*this, "out", 512, 10};

  auto operator()(const halfstep::nn::Input<Setup>& x) const {
    return out(halfstep::relu(second(halfstep::relu(first(halfstep::nn::Flatten{}(x))))));
  }
};

/// Two convolutions 3 x 3 of 32 and 64 filters, max-pool 2, 128-10, with ReLU; images of 28 x 28
/// come to the linear layers as 9216 features.
template <class Setup>
struct Cnn : halfstep::nn::Module<Setup> {
  static constexpr Recipe recipe{};

  explicit Cnn(const halfstep::Shape& image)
      : first(*this, "first", image[2], 32, 3, {.layout = image_layout}),
        // Unpadded convolutions take two rows and columns each.
        hidden(*this, "hidden", 64 * ((image[0] - 4) / 2) * ((image[1] - 4) / 2), 128) {}

  halfstep::nn::Conv2d<Setup> first;
  halfstep::nn::Conv2d<Setup> second{*this, "second", 32, 64, 3, {.layout = image_layout}};
  halfstep::nn::MaxPool2d pool{2, {.layout = image_layout}};
  halfstep::nn::Linear<Setup> hidden;
  halfstep::nn::Linear<Setup> out{*this, "out", 128, 10};

  auto operator()(const halfstep::nn::Input<Setup>& x) const {
    const auto features = pool(halfstep::relu(second(halfstep::relu(first(x)))));
    return out(halfstep::relu(hidden(halfstep::nn::Flatten{}(features))));
  }
};

/// A convolution and the normalization of what it makes; the normalization's bias is the only one.
template <class Setup>
class NormalizedConv : public halfstep::nn::Module<Setup> {
 public:
  NormalizedConv(const halfstep::nn::ModuleBase<typename Setup::Backend>& parent,
                 std::string_view name, halfstep::Index channels, halfstep::Index filters,
                 halfstep::Index kernel, halfstep::Index stride)
      : halfstep::nn::Module<Setup>(parent, name),
        conv_(*this, "conv", channels, filters, kernel,
              {.stride = stride, .padding = kernel / 2, .layout = image_layout, .bias = false}),
        norm_(*this, "norm", filters, {.layout = image_layout}) {}

  auto operator()(const halfstep::nn::Input<Setup>& x) const { return norm_(conv_(x)); }

 private:
  halfstep::nn::Conv2d<Setup> conv_;
  halfstep::nn::BatchNorm<Setup> norm_;
};

/// relu(second(relu(first(x))) + shortcut(x)): a basic block, whose shortcut is x itself, or a
/// convolution 1 x 1 where the block changes its shape. (He et al., arXiv 1512.03385, figure 2)
template <class Setup>
class ResidualBlock : public halfstep::nn::Module<Setup> {
 public:
  using Input = halfstep::nn::Input<Setup>;

  ResidualBlock(const halfstep::nn::ModuleBase<typename Setup::Backend>& parent,
                std::string_view name, halfstep::Index channels, halfstep::Index filters,
                halfstep::Index stride)
      : halfstep::nn::Module<Setup>(parent, name),
        first_(*this, "first", channels, filters, 3, stride),
        second_(*this, "second", filters, filters, 3, 1) {
    if (stride != 1 || channels != filters)
      shortcut_.emplace(*this, "shortcut", channels, filters, 1, stride);
  }

  Input operator()(const Input& x) const {
    const Input change = second_(halfstep::relu(first_(x)));
    return halfstep::relu(change + (shortcut_ ? (*shortcut_)(x) : x));
  }

 private:
  NormalizedConv<Setup> first_;
  NormalizedConv<Setup> second_;
  std::optional<NormalizedConv<Setup>> shortcut_;
};

/// A residual network for small images: a convolution 3 x 3, a block each of 16, 32 and 64 filters,
/// the last two with stride 2, the mean of each filter, and a linear layer. (He et al., arXiv
/// 1512.03385, section 4.2, with n = 1)
template <class Setup>
struct Resnet : halfstep::nn::Module<Setup> {
  static constexpr Recipe recipe{.rate_factor = 3.0, .last_rate = 0.0};

  explicit Resnet(const halfstep::Shape& image) : stem(*this, "stem", image[2], 16, 3, 1) {}

  NormalizedConv<Setup> stem;
  ResidualBlock<Setup> first{*this, "first", 16, 16, 1};
  ResidualBlock<Setup> second{*this, "second", 16, 32, 2};
  ResidualBlock<Setup> third{*this, "third", 32, 64, 2};
  halfstep::nn::GlobalAvgPool2d pool{image_layout};
  halfstep::nn::Linear<Setup> out{*this, "out", 64, 10};

  auto operator()(const halfstep::nn::Input<Setup>& x) const {
    return out(pool(third(second(first(halfstep::relu(stem(x)))))));
  }
};

}  // namespace app
