#pragma once

#include "../measure/random_tensor.hpp"
#include "../measure/step_products.hpp"

#include <app/char_gpt/gpt.hpp>
#include <app/text.hpp>

#include <string>

namespace training {

/// The GPT of `char_gpt` as it stands there, without dropout, on 8 sequences of its whole context.
struct GptCase {
  app::GptSettings model;
  halfstep::Index batch_size = 8;

  explicit GptCase(const std::string&) {}

  template <class Setup>
  struct Model : app::Gpt<Setup> {
    explicit Model(const GptCase& c) : app::Gpt<Setup>(c.model) {}
  };

  template <class Setup>
  struct Batch {
    typename app::Gpt<Setup>::Tokens x;
    typename app::Gpt<Setup>::Tokens y;
  };
  template <class Setup>
  Batch<Setup> random_batch(std::uint64_t seed) const {
    const auto tokens = [&](std::uint64_t which) {
      return measure::random_classes({batch_size, model.context}, model.vocabulary, which);
    };
    return {tokens(2 * seed), tokens(2 * seed + 1)};
  }

  using Loss = std::remove_cv_t<decltype(app::next_token_loss)>;

  std::vector<measure::LayerProducts> products() const {
    const halfstep::Index rows = batch_size * model.context;
    const halfstep::Index width = model.width;
    std::vector<measure::LayerProducts> layers;
    for (halfstep::Index i = 0; i < model.layers; ++i) {
      layers.push_back(measure::LinearProducts{rows, width, 3 * width});
      layers.push_back(
          measure::AttentionProducts{batch_size * model.heads, model.context, width / model.heads});
      layers.push_back(measure::LinearProducts{rows, width, width});
      layers.push_back(measure::LinearProducts{rows, width, 4 * width});
      layers.push_back(measure::LinearProducts{rows, 4 * width, width});
    }
    layers.push_back(measure::LinearProducts{rows, width, model.vocabulary});
    return layers;
  }
};

}  // namespace training
