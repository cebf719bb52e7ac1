#pragma once

#include <app/detector/anchors.hpp>
#include <app/detector/canvases.hpp>

#include <halfstep/halfstep.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace app {

/// Canvases as a model takes them, and what it is taught of them.
template <class Setup>
struct CanvasBatch {
  using Backend = typename Setup::Backend;

  halfstep::nn::Input<Setup> x;       ///< [canvases, size, size, 1]
  std::vector<std::int32_t> classes;  ///< of each anchor of each canvas; background is the last
  halfstep::TensorOf<std::int32_t, Backend> matched;  ///< the anchors that have a truth
  halfstep::TensorOf<float, Backend> offsets;         ///< [matched, 4]
};

template <class T, class Backend>
halfstep::TensorOf<T, Backend> on_device(const std::vector<T>& values,
                                         const halfstep::Shape& shape) {
  halfstep::TensorOf<T, Backend> tensor(shape);
  Backend::upload(std::span<const T>(values), tensor.data());
  return tensor;
}

/// The images of canvases, in the Setup's Activation type.
template <class Setup>
halfstep::nn::Input<Setup> images_of(std::span<const Canvas> canvases, halfstep::Index size) {
  using Backend = typename Setup::Backend;
  std::vector<float> pixels;
  for (const Canvas& canvas : canvases)
    pixels.insert(pixels.end(), canvas.pixels.begin(), canvas.pixels.end());
  const halfstep::Shape shape{static_cast<halfstep::Index>(canvases.size()), size, size, 1};
  const auto wide = on_device<float, Backend>(pixels, shape);
  halfstep::TensorOf<typename Setup::Activation, Backend> images(shape);
  Backend::convert(shape.size(), wide.data(), images.data());
  return images;
}

/// Matches the anchors of each canvas with its digits.
template <class Setup>
CanvasBatch<Setup> batch_of(std::span<const Canvas> canvases, halfstep::Index size,
                            std::span<const Box> anchors, std::int32_t background) {
  using Backend = typename Setup::Backend;
  CanvasBatch<Setup> batch{images_of<Setup>(canvases, size), {}, {}, {}};
  std::vector<std::int32_t> matched;
  std::vector<float> offsets;
  for (const Canvas& canvas : canvases) {
    const auto truth_of = match(anchors, canvas.truths);
    for (std::size_t a = 0; a < anchors.size(); ++a) {
      if (truth_of[a] == no_truth) {
        batch.classes.push_back(background);
        continue;
      }
      const Truth& truth = canvas.truths[static_cast<std::size_t>(truth_of[a])];
      matched.push_back(static_cast<std::int32_t>(batch.classes.size()));
      batch.classes.push_back(truth.label);
      const Offsets target = encode(truth.box, anchors[a]);
      offsets.insert(offsets.end(), target.begin(), target.end());
    }
  }
  const auto count = static_cast<halfstep::Index>(matched.size());
  batch.matched = on_device<std::int32_t, Backend>(matched, {count});
  batch.offsets = on_device<float, Backend>(offsets, {count, 4});
  return batch;
}

/// Hard negative mining: of each canvas's anchors without a truth the ones whose background has the
/// largest loss stay, `ratio` for each one with a truth; the others are ignored. (SSD, section 2.2)
///
/// @param logits   [canvases, anchors, classes] in rows
/// @param classes  [canvases, anchors]
/// @return  `classes` with `ignored` where an anchor does not count
inline std::vector<std::int32_t> hardest(std::span<const float> logits,
                                         std::span<const std::int32_t> classes,
                                         std::size_t canvases, std::int32_t background,
                                         std::int32_t ignored, std::size_t ratio = 3) {
  std::vector<std::int32_t> targets(classes.begin(), classes.end());
  const std::size_t width = logits.size() / classes.size();
  const std::size_t anchors = classes.size() / canvases;
  struct Negative {
    float loss;
    std::size_t anchor;
  };
  std::vector<Negative> negatives;
  for (std::size_t canvas = 0; canvas < canvases; ++canvas) {
    negatives.clear();
    std::size_t positives = 0;
    for (std::size_t a = canvas * anchors; a < (canvas + 1) * anchors; ++a) {
      if (classes[a] != background) {
        ++positives;
        continue;
      }
      const auto row = logits.subspan(a * width, width);
      const float largest = *std::max_element(row.begin(), row.end());
      float sum = 0.0f;
      for (const float logit : row) sum += std::exp(logit - largest);
      negatives.push_back({largest + std::log(sum) - row[static_cast<std::size_t>(background)], a});
      targets[a] = ignored;
    }
    const std::size_t count = std::min(negatives.size(), ratio * positives);
    std::partial_sort(negatives.begin(), negatives.begin() + static_cast<std::ptrdiff_t>(count),
                      negatives.end(), [](const Negative& a, const Negative& b) {
                        return a.loss > b.loss || (a.loss == b.loss && a.anchor < b.anchor);
                      });
    for (std::size_t i = 0; i < count; ++i) targets[negatives[i].anchor] = background;
  }
  return targets;
}

/// (cross-entropy of the classes + smooth L1 of the matched anchors' offsets) / matched anchors,
/// with hard negatives alone. (SSD, equation 1)
inline constexpr auto detection_loss = []<class Model>(const Model& model, const auto& batch) {
  using namespace halfstep;
  using Backend = typename Model::Backend;
  const CrossEntropy settings{};
  const auto output = model(batch.x);
  const std::vector<std::int32_t> targets = hardest(
      train::to_host(output.classes), batch.classes, static_cast<std::size_t>(batch.x.shape()[0]),
      static_cast<std::int32_t>(model.classes()), settings.ignored_target);
  const auto classes = cross_entropy(
      output.classes, on_device<std::int32_t, Backend>(targets, output.classes.shape().without(-1)),
      settings, LossReduction::sum);
  const auto offsets = smooth_l1_loss(gather(reshape(output.offsets, {-1, 4}), batch.matched),
                                      batch.offsets, 1.0, LossReduction::sum);
  return (classes + offsets) * (1.0 / static_cast<double>(batch.matched.size()));
};

}  // namespace app
