#pragma once

#include <app/detector/average_precision.hpp>
#include <app/detector/detection_loss.hpp>
#include <app/detector/suppress.hpp>

namespace app {

/// What a model takes to be on canvases: each anchor's classes of `least` probability and more,
/// where they are not the background, without those that find a digit again.
template <class Model>
std::vector<Finding> detect(const Model& model, std::span<const Canvas> canvases,
                            float least = 0.01f) {
  using Setup = typename Model::Setup;
  constexpr std::size_t at_once = 50;
  const halfstep::inference scope;
  const std::vector<Box> anchors = Model::anchors();
  const auto width = static_cast<std::size_t>(model.classes()) + 1;
  std::vector<Finding> findings;
  std::vector<float> share(width);
  for (std::size_t first = 0; first < canvases.size(); first += at_once) {
    const auto some = canvases.subspan(first, std::min(at_once, canvases.size() - first));
    const auto output = model(images_of<Setup>(some, Model::size));
    const std::vector<float> logits = halfstep::train::to_host(output.classes);
    const std::vector<float> offsets = halfstep::train::to_host(output.offsets);
    for (std::size_t i = 0; i < some.size(); ++i) {
      std::vector<Detection> found;
      for (std::size_t a = 0; a < anchors.size(); ++a) {
        const std::size_t row = i * anchors.size() + a;
        const auto from = logits.begin() + static_cast<std::ptrdiff_t>(row * width);
        const float largest = *std::max_element(from, from + static_cast<std::ptrdiff_t>(width));
        float sum = 0.0f;
        for (std::size_t c = 0; c < width; ++c)
          sum += share[c] = std::exp(from[static_cast<std::ptrdiff_t>(c)] - largest);
        const float* const o = offsets.data() + row * 4;
        const Box box = decode({o[0], o[1], o[2], o[3]}, anchors[a]);
        for (std::size_t c = 0; c + 1 < width; ++c)
          if (share[c] >= least * sum)
            found.push_back({box, static_cast<std::int32_t>(c), share[c] / sum});
      }
      findings.push_back({some[i].truths, suppress(std::move(found))});
    }
  }
  return findings;
}

}  // namespace app
