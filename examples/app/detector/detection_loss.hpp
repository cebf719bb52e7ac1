#pragma once

#include <app/detector/anchors.hpp>
#include <app/detector/canvases.hpp>
#include <app/detector/hard_negatives.hpp>
#include <app/upload.hpp>

#include <halfstep/halfstep.hpp>

#include <vector>

namespace app {

/// Canvases as a model takes them, and what it is taught of them.
template <class Setup>
struct CanvasBatch {
  using Backend = typename Setup::Backend;

  halfstep::nn::Input<Setup> x;       ///< [canvases, canvas_size, canvas_size, 1]
  std::vector<std::int32_t> classes;  ///< of each anchor of each canvas; background is the last
  halfstep::TensorOf<std::int32_t, Backend> matched;  ///< the anchors that have a truth
  halfstep::TensorOf<float, Backend> offsets;         ///< [matched, 4]
};

/// The images of canvases, in the Setup's Activation type.
template <class Setup>
halfstep::nn::Input<Setup> images_of(std::span<const Canvas> canvases) {
  std::vector<float> pixels;
  for (const Canvas& canvas : canvases)
    pixels.insert(pixels.end(), canvas.pixels.begin(), canvas.pixels.end());
  return model_input<Setup>(
      pixels, {static_cast<halfstep::Index>(canvases.size()), canvas_size, canvas_size, 1});
}

/// Matches the anchors of each canvas with its digits.
template <class Setup>
CanvasBatch<Setup> batch_of(std::span<const Canvas> canvases, std::span<const Box> anchors,
                            std::int32_t background) {
  using Backend = typename Setup::Backend;
  CanvasBatch<Setup> batch{images_of<Setup>(canvases), {}, {}, {}};
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
  batch.matched = uploaded<Backend>(std::span<const std::int32_t>(matched), {count});
  batch.offsets = uploaded<Backend>(std::span<const float>(offsets), {count, 4});
  return batch;
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
      output.classes,
      uploaded<Backend>(std::span<const std::int32_t>(targets), output.classes.shape().without(-1)),
      settings, LossReduction::sum);
  const auto offsets = smooth_l1_loss(gather(reshape(output.offsets, {-1, 4}), batch.matched),
                                      batch.offsets, 1.0, LossReduction::sum);
  return (classes + offsets) * (1.0 / static_cast<double>(batch.matched.size()));
};

}  // namespace app
