#pragma once

#include <app/translate/dates.hpp>

#include <halfstep/halfstep.hpp>

#include <algorithm>
#include <vector>

namespace app {

/// Texts of a batch, filled up at their ends to one length.
template <class Backend>
struct SourceBatch {
  halfstep::TensorOf<std::int32_t, Backend> tokens;   ///< [batch, time]
  halfstep::TensorOf<std::int32_t, Backend> lengths;  ///< [batch]
  /// [batch, 1, time]: what attention's scores are given; 0, and so low past an end that nothing is
  /// attended to there. Every 16-bit type holds it.
  halfstep::TensorOf<float, Backend> mask;

  explicit SourceBatch(const std::vector<std::vector<std::int32_t>>& texts) {
    using halfstep::Index;
    using halfstep::Shape;
    std::size_t time = 1;
    for (const auto& text : texts) time = std::max(time, text.size());
    std::vector<std::int32_t> filled, counts;
    std::vector<float> scores;
    for (const auto& text : texts) {
      filled.insert(filled.end(), text.begin(), text.end());
      filled.resize(filled.size() + time - text.size(), 0);
      counts.push_back(static_cast<std::int32_t>(text.size()));
      scores.insert(scores.end(), text.size(), 0.0f);
      scores.resize(scores.size() + time - text.size(), -1e4f);
    }
    const auto batch = static_cast<Index>(texts.size());
    const auto upload = [](const auto& from, auto& to, const Shape& shape) {
      to = std::remove_cvref_t<decltype(to)>(shape);
      Backend::upload(std::span(from), to.data());
    };
    upload(filled, tokens, {batch, static_cast<Index>(time)});
    upload(counts, lengths, {batch});
    upload(scores, mask, {batch, 1, static_cast<Index>(time)});
  }
};

/// Reads a text with an LSTM in both directions and writes another with an LSTM that attends to
/// what was read: h = LSTM(y), c = softmax(h W e^T) e, logits = out(LSTM([h, c])).
/// (Wu et al., "Google's Neural Machine Translation System", arXiv 1609.08144, in small; its
/// attention scores are Luong's "general", arXiv 1508.04025, section 3.1)
template <class Setup_>
class Translator : public halfstep::nn::Module<Setup_> {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Input = halfstep::nn::Input<Setup>;
  using Tokens = halfstep::TensorOf<std::int32_t, Backend>;

  /// What the encoder makes of the texts.
  struct Encoded {
    Input values;  ///< e [batch, time, width]
    Input mask;    ///< [batch, 1, time]
  };

  /// @param width  of what is attended to, and so even
  Translator(halfstep::Index width, double dropout)
      : read_(*this, "read", written_alphabet.size(), width / 2),
        encoder_(*this, "encoder", width / 2, width / 2, {.bidirectional = true}),
        written_(*this, "written", iso_alphabet.size(), width / 2),
        decoder_(*this, "decoder", width / 2, width),
        query_(*this, "query", width, width, {.bias = false}),
        dropout_(*this, "dropout", dropout),
        writer_(*this, "writer", 2 * width, width),
        out_(*this, "out", width, iso_alphabet.size()) {}

  Encoded encode(const SourceBatch<Backend>& source) const {
    const halfstep::Variable<float, Backend> mask(source.mask);
    return {encoder_(read_(source.tokens), source.lengths),
            halfstep::nn::as_activation<typename Setup::Activation>(mask)};
  }
  /// @param before  [batch, time], for each character to write the one before it
  /// @return  [batch, time, letters]
  Input decode(const Encoded& encoded, const Tokens& before) const {
    using Compute = typename Setup::Compute;
    const Input h = decoder_(written_(before));
    const Input scores =
        halfstep::matmul<Compute>(query_(h), encoded.values, {.b = true}) + encoded.mask;
    const Input context = halfstep::matmul<Compute>(halfstep::softmax(scores), encoded.values);
    return out_(writer_(dropout_(halfstep::concatenate({h, context}, -1))));
  }

 private:
  halfstep::nn::Embedding<Setup> read_;
  halfstep::nn::LSTM<Setup> encoder_;
  halfstep::nn::Embedding<Setup> written_;
  halfstep::nn::LSTM<Setup> decoder_;
  halfstep::nn::Linear<Setup> query_;
  halfstep::nn::Dropout<Setup> dropout_;
  halfstep::nn::LSTM<Setup> writer_;
  halfstep::nn::Linear<Setup> out_;
};

/// A text of `length` characters for each that was read, each character the likeliest after those
/// before it.
template <class Model>
std::vector<std::vector<std::int32_t>> write_greedily(
    const Model& model, const SourceBatch<typename Model::Backend>& source,
    halfstep::Index length) {
  using Backend = typename Model::Backend;
  const halfstep::inference scope;
  const auto encoded = model.encode(source);
  const auto batch = static_cast<std::size_t>(source.lengths.size());
  std::vector<std::vector<std::int32_t>> texts(batch);
  for (std::size_t time = 1; time <= static_cast<std::size_t>(length); ++time) {
    std::vector<std::int32_t> before;
    for (const auto& text : texts) {
      before.push_back(0);
      before.insert(before.end(), text.begin(), text.end());
    }
    typename Model::Tokens tokens(
        halfstep::Shape{static_cast<halfstep::Index>(batch), static_cast<halfstep::Index>(time)});
    Backend::upload(std::span<const std::int32_t>(before), tokens.data());
    const std::vector<float> logits = halfstep::train::to_host(model.decode(encoded, tokens));
    const std::size_t letters = logits.size() / (batch * time);
    for (std::size_t row = 0; row < batch; ++row) {
      const auto last =
          logits.begin() + static_cast<std::ptrdiff_t>((row * time + time - 1) * letters);
      const auto likeliest = std::max_element(last, last + static_cast<std::ptrdiff_t>(letters));
      texts[row].push_back(static_cast<std::int32_t>(likeliest - last));
    }
  }
  return texts;
}

}  // namespace app
