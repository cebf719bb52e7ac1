#pragma once

#include <app/dcgan/frechet_distance.hpp>
#include <app/dcgan/image_statistics.hpp>

#include <halfstep/halfstep.hpp>

#include <algorithm>
#include <vector>

namespace app {

/// Rows of pixels within [0, 1] as images [batch, 28, 28, 1] within [-1, 1].
template <class Pixels>
Pixels as_images(const Pixels& pixels) {
  return halfstep::reshape(pixels * 2.0 - 1.0, {-1, 28, 28, 1});
}

/// Tells digits apart: 4 x 4 convolutions of 16 and 32 filters with stride 2, 1568-64-10, with
/// ReLU; what the 64 say are an image's features.
template <class Setup_>
class DigitClassifier : public halfstep::nn::Module<Setup_> {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Input = halfstep::nn::Input<Setup>;
  static constexpr std::size_t features = 64;
  static constexpr std::size_t classes = 10;

  struct Opinion {
    Input features;  ///< [batch, 64]
    Input logits;    ///< [batch, 10]
  };

  /// @param images  [batch, 28, 28, 1] within [-1, 1]
  Opinion look(const Input& images) const {
    using halfstep::relu;
    const Input seen = relu(second_(relu(first_(images))));
    const Input features = relu(hidden_(halfstep::nn::Flatten{}(seen)));
    return {features, out_(features)};
  }
  /// The logits of rows of pixels.
  Input operator()(const Input& pixels) const { return look(as_images(pixels)).logits; }

 private:
  using Convolution = halfstep::nn::Conv2d<Setup>;
  static halfstep::nn::Conv2dLayerSettings halving() {
    return {.stride = 2, .padding = 1, .layout = halfstep::ImageLayout::channels_last};
  }

  Convolution first_{*this, "first", 1, 16, 4, halving()};
  Convolution second_{*this, "second", 16, 32, 4, halving()};
  halfstep::nn::Linear<Setup> hidden_{*this, "hidden", 1568, 64};
  halfstep::nn::Linear<Setup> out_{*this, "out", 64, 10};
};

/// Compares generated digits with real ones, by what a classifier that was trained on real ones
/// sees in them. It computes in FP32, and is the same for all precisions and seeds.
///
/// Its scores are not those of the papers, whose classifier is Inception on photographs; they tell
/// generators of digits apart.
template <class Backend>
class DigitJudge {
 public:
  using Setup = halfstep::Setup<halfstep::Fp32, Backend>;
  using Images = halfstep::nn::Input<Setup>;

  /// Learns the training digits in 1,000 batches of 64, and looks at the test digits.
  DigitJudge(const halfstep::data::ClassificationSet& train,
             const halfstep::data::ClassificationSet& test)
      : trained_on_(statistics()), tested_on_(statistics()) {
    constexpr std::uint64_t seed = 1;
    classifier_.initialise(seed);
    constexpr int steps = 1000;
    halfstep::Trainer trainer(classifier_, halfstep::optim::AdamW{.learning_rate = 2e-3}, {},
                              halfstep::optim::Cosine{.steps = steps});
    halfstep::data::Loader<Setup> loader(train, {.batch_size = 64, .seed = seed});
    auto batch = loader.begin();
    for (int step = 0; step < steps; ++step) {
      trainer.step(*batch, [](const auto& model, const auto& batch) {
        return halfstep::cross_entropy(model(batch.x), batch.y);
      });
      if (++batch == loader.end()) batch = loader.begin();
    }
    accuracy_ = halfstep::accuracy(classifier_, test);
    const halfstep::inference scope;
    for (const auto& [set, to] : {std::pair{&train, &trained_on_}, std::pair{&test, &tested_on_}})
      for (const auto& batch : halfstep::data::Loader<Setup>(*set, {.batch_size = 256}))
        look(as_images(batch.x), *to);
  }

  static ImageStatistics statistics() {
    return {DigitClassifier<Setup>::features, DigitClassifier<Setup>::classes};
  }
  /// Adds what the classifier sees in some images.
  void look(const Images& images, ImageStatistics& to) const {
    const halfstep::inference scope;
    const auto opinion = classifier_.look(images);
    const std::vector<float> features = halfstep::train::to_host(opinion.features);
    const std::vector<float> logits = halfstep::train::to_host(opinion.logits);
    const auto row = [](const std::vector<float>& all, std::size_t i, std::size_t width) {
      return std::span<const float>(all).subspan(i * width, width);
    };
    const auto count = static_cast<std::size_t>(images.shape()[0]);
    for (std::size_t i = 0; i < count; ++i)
      to.add(row(features, i, DigitClassifier<Setup>::features),
             row(logits, i, DigitClassifier<Setup>::classes));
  }
  /// The Frechet distance between some images and the test digits.
  double distance(const ImageStatistics& images) const {
    return frechet_distance(images, tested_on_);
  }

  const ImageStatistics& trained_on() const { return trained_on_; }
  const ImageStatistics& tested_on() const { return tested_on_; }
  /// The share of the test digits that the classifier tells rightly.
  double accuracy() const { return accuracy_; }

 private:
  DigitClassifier<Setup> classifier_;
  ImageStatistics trained_on_;
  ImageStatistics tested_on_;
  double accuracy_ = 0.0;
};

}  // namespace app
