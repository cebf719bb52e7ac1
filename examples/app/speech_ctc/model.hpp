#pragma once

#include <app/speech_ctc/tones.hpp>

#include <halfstep/halfstep.hpp>

namespace app {

/// Padded sequences and the symbols in them.
template <class Setup>
struct ToneBatch {
  using Numbers = halfstep::TensorOf<std::int32_t, typename Setup::Backend>;
  halfstep::nn::Input<Setup> x;  ///< [sequences, time, bands]
  Numbers lengths;               ///< [sequences], the model's steps of each
  Numbers symbols;               ///< [sequences, width]
  Numbers symbol_counts;         ///< [sequences]
};

/// DeepSpeech 2 in small (Amodei et al., arXiv 1512.02595): a convolution that halves time, layers
/// of bidirectional GRUs, and the logits of each symbol and the blank.
template <class Setup_>
class SpeechModel : public halfstep::nn::Module<Setup_> {
 public:
  using Setup = Setup_;

  SpeechModel(halfstep::Index hidden, halfstep::Index layers)
      : convolution_(*this, "convolution", static_cast<halfstep::Index>(tone_bands), hidden, 5,
                     {.stride = 2, .padding = 2, .layout = halfstep::ImageLayout::channels_last}),
        recurrent_(*this, "recurrent", hidden, hidden, {.layers = layers, .bidirectional = true}),
        out_(*this, "out", 2 * hidden, static_cast<halfstep::Index>(telephone_keys.size()) + 1) {}

  /// The steps that a sequence of so many frames has behind the convolution.
  static halfstep::Index steps_of(halfstep::Index frames) { return (frames + 1) / 2; }

  /// @return  [sequences, steps, 13]
  halfstep::nn::Input<Setup> operator()(const ToneBatch<Setup>& batch) const {
    return out_(recurrent_(halfstep::relu(convolution_(batch.x)), batch.lengths));
  }

 private:
  halfstep::nn::Conv1d<Setup> convolution_;
  halfstep::nn::GRU<Setup> recurrent_;
  halfstep::nn::Linear<Setup> out_;
};

/// Connectionist temporal classification of a batch.
inline constexpr auto speech_loss = [](const auto& model, const auto& batch) {
  return halfstep::ctc_loss(model(batch), batch.symbols, batch.lengths, batch.symbol_counts);
};

}  // namespace app
