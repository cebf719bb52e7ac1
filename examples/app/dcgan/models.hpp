#pragma once

#include <halfstep/halfstep.hpp>

#include <cstdint>
#include <vector>

namespace app {

/// The extents of a generator and its discriminator.
struct DcganSettings {
  halfstep::Index latent = 64;  ///< numbers that a digit is made of
  halfstep::Index width = 32;   ///< channels at 14 x 14; twice as many at 7 x 7
};

inline constexpr auto dcgan_layout = halfstep::ImageLayout::channels_last;

/// Halves or doubles an image's height and width: a kernel of 4 x 4 with stride 2. Weights start
/// normal with deviation 0.02; where batch normalization follows, its bias serves. (Radford, Metz,
/// Chintala, arXiv 1511.06434, sections 3 and 4)
template <class Layer>
typename Layer::Settings dcgan_convolution(bool bias) {
  return {.stride = 2,
          .padding = 1,
          .layout = dcgan_layout,
          .bias = bias,
          .initialiser = halfstep::nn::normal(0.02)};
}
inline halfstep::nn::LinearSettings dcgan_linear(bool bias) {
  return {.bias = bias, .initialiser = halfstep::nn::normal(0.02)};
}

/// Digits from random numbers: [batch, latent] to images [batch, 28, 28, 1] within [-1, 1].
template <class Setup_>
class Generator : public halfstep::nn::Module<Setup_> {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Input = halfstep::nn::Input<Setup>;

  explicit Generator(const DcganSettings& settings)
      : settings_(settings),
        seed_(*this, "seed", settings.latent, 7 * 7 * 2 * settings.width, dcgan_linear(false)),
        seed_norm_(*this, "seed_norm", 2 * settings.width, {.layout = dcgan_layout}),
        middle_(*this, "middle", 2 * settings.width, settings.width, 4,
                dcgan_convolution<Convolution>(false)),
        middle_norm_(*this, "middle_norm", settings.width, {.layout = dcgan_layout}),
        out_(*this, "out", settings.width, 1, 4, dcgan_convolution<Convolution>(true)) {}

  Input operator()(const Input& latent) const {
    using halfstep::relu;
    const Input seed = halfstep::reshape(seed_(latent), {-1, 7, 7, 2 * settings_.width});
    const Input middle = middle_(relu(seed_norm_(seed)));
    return halfstep::tanh(out_(relu(middle_norm_(middle))));
  }

  /// Normal numbers [count, latent] for so many images.
  Input draw(halfstep::Index count, halfstep::RandomStream& random) const {
    std::vector<float> numbers(static_cast<std::size_t>(count * settings_.latent));
    for (float& number : numbers) number = random.normal();
    halfstep::TensorOf<float, Backend> latent(halfstep::Shape{count, settings_.latent});
    Backend::upload(std::span<const float>(numbers), latent.data());
    return halfstep::cast<typename Setup::Activation>(
        halfstep::Variable<float, Backend>(std::move(latent)));
  }

 private:
  using Convolution = halfstep::nn::ConvTranspose2d<Setup>;

  DcganSettings settings_;
  halfstep::nn::Linear<Setup> seed_;
  halfstep::nn::BatchNorm<Setup> seed_norm_;
  Convolution middle_;
  halfstep::nn::BatchNorm<Setup> middle_norm_;
  Convolution out_;
};

/// The logit of an image's being real: images [batch, 28, 28, 1] to [batch, 1].
template <class Setup_>
class Discriminator : public halfstep::nn::Module<Setup_> {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Input = halfstep::nn::Input<Setup>;

  explicit Discriminator(const DcganSettings& settings)
      : first_(*this, "first", 1, settings.width, 4, dcgan_convolution<Convolution>(true)),
        second_(*this, "second", settings.width, 2 * settings.width, 4,
                dcgan_convolution<Convolution>(false)),
        // It is never evaluated, and real and generated batches are normalized each by itself.
        second_norm_(*this, "second_norm", 2 * settings.width,
                     {.track_running_stats = false, .layout = dcgan_layout}),
        out_(*this, "out", 7 * 7 * 2 * settings.width, 1, dcgan_linear(true)) {}

  Input operator()(const Input& images) const {
    const Input half = halfstep::leaky_relu(first_(images), 0.2);
    const Input quarter = halfstep::leaky_relu(second_norm_(second_(half)), 0.2);
    return out_(halfstep::nn::Flatten{}(quarter));
  }

 private:
  using Convolution = halfstep::nn::Conv2d<Setup>;

  Convolution first_;
  Convolution second_;
  halfstep::nn::BatchNorm<Setup> second_norm_;
  halfstep::nn::Linear<Setup> out_;
};

}  // namespace app
