#pragma once

#include <app/text.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace app {

/// An index drawn with probability softmax(logits / temperature); the largest at temperature 0.
inline std::int32_t draw_token(std::span<const float> logits, double temperature,
                               halfstep::RandomStream& random) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  if (temperature == 0.0) return static_cast<std::int32_t>(largest - logits.begin());
  std::vector<double> sums;
  double sum = 0.0;
  for (const float logit : logits)
    sums.push_back(sum += std::exp(static_cast<double>(logit - *largest) / temperature));
  const double wanted = sum * static_cast<double>(random.uniform());
  const auto found = std::upper_bound(sums.begin(), sums.end() - 1, wanted);
  return static_cast<std::int32_t>(found - sums.begin());
}

/// The prompt, and `count` characters after it as the model would write them.
/// @throws halfstep::DataError  the prompt has a character that the text has not
template <class Model>
std::string write_text(const Model& model, const CharacterText& text, const std::string& prompt,
                       int count, double temperature, std::uint64_t seed) {
  using Backend = typename Model::Backend;
  const halfstep::inference scope;
  halfstep::RandomStream random(seed, 1);
  std::string written = prompt;
  std::vector<std::int32_t> tokens = text.encode(prompt);
  const auto context = static_cast<std::size_t>(model.settings().context);
  for (int i = 0; i < count; ++i) {
    const std::size_t time = std::min(context, tokens.size());
    typename Model::Tokens seen(halfstep::Shape{1, static_cast<halfstep::Index>(time)});
    Backend::upload(std::span<const std::int32_t>(tokens).last(time), seen.data());
    const std::vector<float> logits = halfstep::train::to_host(model(seen));
    const auto width = static_cast<std::size_t>(text.vocabulary());
    tokens.push_back(draw_token(std::span(logits).last(width), temperature, random));
    written += text.decode(tokens.back());
  }
  return written;
}

}  // namespace app
