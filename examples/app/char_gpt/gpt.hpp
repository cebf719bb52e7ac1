#pragma once

#include <app/upload.hpp>

#include <halfstep/halfstep.hpp>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

namespace app {

/// The extents of a Gpt, and what it may do otherwise.
struct GptSettings {
  halfstep::Index vocabulary = 65;
  halfstep::Index layers = 6;
  halfstep::Index heads = 6;
  halfstep::Index width = 384;
  halfstep::Index context = 256;
  double dropout = 0.0;
  /// The logits are products with the token embedding instead of a matrix of their own.
  bool tied = false;
  /// Backward keeps the blocks' inputs alone and computes the rest again.
  bool recompute = false;
};

/// Weights normal with this deviation and biases zero, as GPT-2's.
inline halfstep::nn::LinearSettings gpt_linear(double deviation = 0.02, bool bias = true) {
  return {.bias = bias,
          .initialiser = halfstep::nn::normal(deviation),
          .bias_initialiser = halfstep::nn::constant(0.0f)};
}

/// x += attention(norm(x)), x += down(gelu(up(norm(x)))): a pre-norm block of GPT-2.
template <class Setup>
class GptBlock : public halfstep::nn::Module<Setup> {
 public:
  using Input = halfstep::nn::Input<Setup>;

  GptBlock(const halfstep::nn::ModuleBase<typename Setup::Backend>& parent, std::string_view name,
           const GptSettings& settings)
      : halfstep::nn::Module<Setup>(parent, name),
        first_norm_(*this, "ln1", settings.width),
        attention_(*this, "attention", settings.width, settings.heads,
                   {.causal = true, .qkv = gpt_linear(), .projection = to_residual(settings)}),
        first_dropout_(*this, "dropout1", settings.dropout),
        second_norm_(*this, "ln2", settings.width),
        up_(*this, "up", settings.width, 4 * settings.width, gpt_linear()),
        down_(*this, "down", 4 * settings.width, settings.width, to_residual(settings)),
        second_dropout_(*this, "dropout2", settings.dropout) {}

  Input operator()(const Input& x) const {
    const Input h = x + first_dropout_(attention_(first_norm_(x)));
    return h + second_dropout_(halfstep::nn::feed_forward(second_norm_(h), up_, down_,
                                                          halfstep::HiddenActivation::gelu_tanh));
  }

 private:
  /// What is added to the residual stream 2 layers times starts smaller. (GPT-2, section 2.3)
  static halfstep::nn::LinearSettings to_residual(const GptSettings& settings) {
    return gpt_linear(0.02 / std::sqrt(2.0 * static_cast<double>(settings.layers)));
  }

  halfstep::nn::LayerNorm<Setup> first_norm_;
  halfstep::nn::MultiHeadAttention<Setup> attention_;
  halfstep::nn::Dropout<Setup> first_dropout_;
  halfstep::nn::LayerNorm<Setup> second_norm_;
  halfstep::nn::Linear<Setup> up_;
  halfstep::nn::Linear<Setup> down_;
  halfstep::nn::Dropout<Setup> second_dropout_;
};

/// The logits of each next token. (Radford et al., "Language Models are Unsupervised Multitask
/// Learners", 2019)
template <class Setup_>
class Gpt : public halfstep::nn::Module<Setup_> {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Input = halfstep::nn::Input<Setup>;
  using Tokens = halfstep::TensorOf<std::int32_t, Backend>;

  explicit Gpt(const GptSettings& settings)
      : settings_(settings),
        token_(*this, "token", settings.vocabulary, settings.width, embedding()),
        position_(*this, "position", settings.context, settings.width, embedding()),
        dropout_(*this, "dropout", settings.dropout),
        blocks_(*this, "blocks"),
        positions_(numbers(settings.context)) {
    for (halfstep::Index i = 0; i < settings.layers; ++i) blocks_.emplace(settings);
    norm_.emplace(*this, "ln", settings.width);
    if (!settings.tied)
      head_.emplace(*this, "head", settings.width, settings.vocabulary, gpt_linear(0.02, false));
  }

  /// @param tokens  [batch, time]
  /// @return  [batch, time, vocabulary]
  /// @throws ShapeError  the sequence is longer than the context
  Input operator()(const Tokens& tokens) const {
    const halfstep::Index time = tokens.shape()[-1];
    if (time > settings_.context)
      halfstep::fail<halfstep::ShapeError>(
          "Gpt: a sequence of ", time, " tokens is longer than the context of ", settings_.context,
          "; cut it, or build the model with a longer context");
    Input h = dropout_(token_(tokens) + position_(positions(time)));
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const auto block = [this, i](const Input& x) { return blocks_[i](x); };
      h = settings_.recompute ? halfstep::checkpoint(block, h) : block(h);
    }
    h = (*norm_)(h);
    if (head_) return (*head_)(h);
    return halfstep::linear<typename Setup::Compute>(
        h, halfstep::nn::as_activation<typename Setup::Activation>(token_.weight()));
  }

  const GptSettings& settings() const { return settings_; }

 private:
  static halfstep::nn::EmbeddingSettings embedding() {
    return {.initialiser = halfstep::nn::normal(0.02)};
  }
  /// 0, 1, 2, ...
  static Tokens numbers(halfstep::Index count) {
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    std::iota(values.begin(), values.end(), 0);
    return uploaded<Backend>(std::span<const std::int32_t>(values), {count});
  }
  /// The first of them, without another way from the host in each step.
  Tokens positions(halfstep::Index time) const {
    Tokens first(halfstep::Shape{time});
    Backend::copy(time, positions_.data(), first.data());
    return first;
  }

  GptSettings settings_;
  halfstep::nn::Embedding<Setup> token_;
  halfstep::nn::Embedding<Setup> position_;
  halfstep::nn::Dropout<Setup> dropout_;
  halfstep::nn::ModuleList<GptBlock<Setup>> blocks_;
  Tokens positions_;  ///< [context]
  std::optional<halfstep::nn::LayerNorm<Setup>> norm_;
  std::optional<halfstep::nn::Linear<Setup>> head_;
};

}  // namespace app
