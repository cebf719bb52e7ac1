#pragma once

#include "computed.hpp"

#include <halfstep/halfstep.hpp>

// Internal linkage: each translation unit computes with the code that its own flags gave.
namespace {

namespace hs = halfstep;

using Setup = hs::Setup<hs::MixedBf16>;

struct Network : hs::nn::Module<Setup> {
  hs::nn::Linear<Setup> hidden{*this, "hidden", 37, 19};
  hs::nn::Linear<Setup> out{*this, "out", 19, 2};
  auto operator()(const hs::nn::Input<Setup>& x) const { return out(hs::gelu(hidden(x))); }
};

Computed compute() {
  Computed computed;
  std::vector<float> features;
  std::vector<int> labels;
  for (int i = 0; i < 64 * 37; ++i) {
    const float value = static_cast<float>(i * 131 % 1009) / 1009.0f - 0.5f;
    features.push_back(value);
    if (i % 37 == 0) labels.push_back(value > 0.0f ? 1 : 0);
    computed.conversions.push_back(static_cast<float>(hs::float16(value)));
    computed.conversions.push_back(static_cast<float>(hs::bfloat16(value)));
  }
  const auto set = hs::data::from_memory(features, hs::Shape{64, 37}, labels);
  Network network;
  hs::Trainer trainer(network, hs::optim::AdamW{.learning_rate = 1e-3});
  for (const auto& batch : hs::data::Loader<Setup>(set, {.batch_size = 16, .seed = 1})) {
    const auto report = trainer.step(batch, [](auto& model, const auto& rows) {
      return hs::cross_entropy(model(rows.x), rows.y);
    });
    computed.losses.push_back(static_cast<float>(report.loss()));
  }
  return computed;
}

}  // namespace
