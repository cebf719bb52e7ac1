#pragma once

#include "../measure/random_tensor.hpp"
#include "../measure/step_products.hpp"
#include "step_options.hpp"

#include <app/char_gpt/gpt.hpp>
#include <app/text.hpp>

#include <vector>

namespace training {

/// A GPT without dropout on sequences of its whole context: `gpt`, that of `char_gpt` as it stands
/// there, on 8 of them, or `gpt2`, GPT-2 of 124 M parameters (its 50257 tokens padded to a multiple
/// of 64, learned positions, the token embedding as its head) on 32.
struct GptCase {
  app::GptSettings model;
  halfstep::Index batch_size;

  explicit GptCase(const StepOptions& options) {
    if (options.model == "gpt2")
      model = {.vocabulary = 50304,
               .layers = 12,
               .heads = 12,
               .width = 768,
               .context = 1024,
               .tied = true};
    batch_size = options.batch_or(options.model == "gpt2" ? 32 : 8);
  }

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
      return measure::random_classes_on<typename Setup::Backend>({batch_size, model.context},
                                                                 model.vocabulary, which);
    };
    return {tokens(2 * seed), tokens(2 * seed + 1)};
  }

  using Loss = std::remove_cv_t<decltype(app::next_token_loss)>;

  halfstep::Index tokens() const { return batch_size * model.context; }
  /// 6 N + 6 L C T a token: each parameter is multiplied with once forward and twice backward, and
  /// so is each of the C numbers of the T / 2 keys that a causal position sees on average, for
  /// scores and for values, in each of L layers. N counts what is multiplied with: all parameters
  /// but the positions, and but the token embedding where it is not the head too.
  /// (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1)
  double model_flop(halfstep::Index parameters) const {
    const halfstep::Index looked_up = model.context + (model.tied ? 0 : model.vocabulary);
    const halfstep::Index multiplied = parameters - looked_up * model.width;
    return 6.0 * static_cast<double>(tokens()) *
           static_cast<double>(multiplied + model.layers * model.width * model.context);
  }

  std::vector<measure::LayerProducts> products() const {
    const halfstep::Index rows = tokens();
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
