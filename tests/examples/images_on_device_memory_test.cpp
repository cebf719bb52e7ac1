#include <app/dcgan/train.hpp>
#include <app/detector/train.hpp>
#include <app/mnist/classifiers.hpp>
#include <app/mnist/train_classifier.hpp>

#include <halfstep/data/from_memory.hpp>

#include <numeric>

#include "examples/on_device_memory.hpp"

namespace halfstep::test {
namespace {

/// Square images with a bright bar that tells their class.
data::ClassificationSet bars(Index count, Index side) {
  const Index size = side * side;
  std::vector<float> pixels(static_cast<std::size_t>(count * size), 0.0f);
  std::vector<std::int32_t> labels;
  for (Index i = 0; i < count; ++i) {
    labels.push_back(static_cast<std::int32_t>(i % 10));
    std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>(i * size + i % 10 * (size / 10)),
                size / 10, 1.0f);
  }
  return data::from_memory(pixels, {count, side, side, 1}, labels);
}

/// A classifier, looked into.
template <template <class> class Classifier>
void expect_the_same_classifier() {
  app::Options options;
  options.epochs = 2;
  options.batch = 4;
  const data::ClassificationSet images = bars(8, 8);
  expect_the_same_on_device_memory<MixedFp16>(
      options, [&]<class Setup>(const app::Run<Setup>& run) {
        Telemetry telemetry({.every = 2});
        return app::train_classifier<Classifier<Setup>>(run, optim::AdamW{}, images, images,
                                                        &telemetry);
      });
}

TEST(OnDeviceMemory, MnistTrainsItsMlpAsOnTheHost) { expect_the_same_classifier<app::Mlp>(); }
TEST(OnDeviceMemory, MnistTrainsItsCnnAsOnTheHost) { expect_the_same_classifier<app::Cnn>(); }
TEST(OnDeviceMemory, MnistTrainsItsResnetAsOnTheHost) { expect_the_same_classifier<app::Resnet>(); }

/// Judges images by their mean alone.
template <class Setup>
struct Brightness {
  static app::ImageStatistics statistics() { return {1, 2}; }
  template <class Images>
  void look(const Images& images, app::ImageStatistics& to) const {
    const auto count = static_cast<std::size_t>(images.shape()[0]);
    const std::vector<float> pixels = train::to_host(images);
    const float logits[]{0.0f, 0.0f};
    for (std::size_t i = 0; i < count; ++i) {
      const auto first = pixels.begin() + static_cast<std::ptrdiff_t>(i * 784);
      const float mean = std::accumulate(first, first + 784, 0.0f) / 784.0f;
      to.add(std::span(&mean, 1), logits);
    }
  }
  double distance(const app::ImageStatistics& seen) const { return seen.mean(0); }
};

TEST(OnDeviceMemory, DcganTrainsAsOnTheHost) {
  app::DcganOptions options;
  options.samples = 4;
  options.images = "";
  const data::ClassificationSet digits = bars(8, 28);
  const app::DcganPlan plan{{.latent = 4, .width = 2}, 4, 3, 1e-3};
  expect_the_same_on_device_memory<MixedFp16>(
      options, [&]<class Setup>(const app::Run<Setup>& run) {
        return app::train_dcgan(run, options, plan, digits, Brightness<Setup>());
      });
}

TEST(OnDeviceMemory, TheDetectorTrainsAsOnTheHost) {
  app::DetectorOptions options;
  const data::ClassificationSet digits = bars(10, 28);
  const app::CanvasPainter painter(digits);
  RandomStream random(1);
  const std::vector<app::Canvas> test = app::paint(painter, 1, random);
  const app::DetectorPlan plan{.canvases = 1, .steps = 2, .test_canvases = 1, .warm_up = 1};
  expect_the_same_on_device_memory<MixedBf16>(
      options, [&](const auto& run) { return app::train_detector(run, plan, painter, test); });
}

}  // namespace
}  // namespace halfstep::test
