#pragma once

#include <halfstep/halfstep.hpp>

namespace app {

/// The extents of a CharLstm, and what it may do otherwise.
struct CharLstmSettings {
  halfstep::Index vocabulary = 65;
  halfstep::Index layers = 2;
  halfstep::Index width = 512;
  /// The characters that it is trained on at once, from a state of 0.
  halfstep::Index context = 128;
  double dropout = 0.0;
};

/// The logits of each next token: embedding, layers of LSTM, linear. (Jozefowicz et al., "Exploring
/// the Limits of Language Modeling", arXiv 1602.02410, whose bigLSTM the paper trains, in small)
template <class Setup_>
class CharLstm : public halfstep::nn::Module<Setup_> {
 public:
  using Setup = Setup_;
  using Tokens = halfstep::TensorOf<std::int32_t, typename Setup::Backend>;

  explicit CharLstm(const CharLstmSettings& settings)
      : settings_(settings),
        token_(*this, "token", settings.vocabulary, settings.width),
        lstm_(*this, "lstm", settings.width, settings.width,
              {.layers = settings.layers, .dropout = settings.dropout}),
        dropout_(*this, "dropout", settings.dropout),
        head_(*this, "head", settings.width, settings.vocabulary) {}

  /// @param tokens  [batch, time]
  /// @return  [batch, time, vocabulary]
  auto operator()(const Tokens& tokens) const { return head_(dropout_(lstm_(token_(tokens)))); }

  const CharLstmSettings& settings() const { return settings_; }

 private:
  CharLstmSettings settings_;
  halfstep::nn::Embedding<Setup> token_;
  halfstep::nn::LSTM<Setup> lstm_;
  halfstep::nn::Dropout<Setup> dropout_;
  halfstep::nn::Linear<Setup> head_;
};

}  // namespace app
