#pragma once

#include <halfstep/halfstep.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace app {

/// Token sequences and, for each token, the one that follows.
template <class Setup>
struct TokenBatch {
  using Tokens = halfstep::TensorOf<std::int32_t, typename Setup::Backend>;
  Tokens x;  ///< [sequences, time]
  Tokens y;  ///< [sequences, time]
};

/// A text as numbered characters: the sorted set of those that occur. Its last tenth is kept for
/// validation.
class CharacterText {
 public:
  /// @throws halfstep::IoError    the file cannot be read
  /// @throws halfstep::DataError  it is empty
  static CharacterText read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file.is_open() || file.bad())
      halfstep::fail<halfstep::IoError>(path, ": cannot be read; name a text file with --data");
    if (text.empty()) halfstep::fail<halfstep::DataError>(path, ": is empty; there is no text");
    return CharacterText(text);
  }
  explicit CharacterText(const std::string& text) : characters_(text) {
    std::sort(characters_.begin(), characters_.end());
    characters_.erase(std::unique(characters_.begin(), characters_.end()), characters_.end());
    tokens_ = encode(text);
    training_ = tokens_.size() - tokens_.size() / 10;
  }

  halfstep::Index vocabulary() const { return static_cast<halfstep::Index>(characters_.size()); }
  std::span<const std::int32_t> training() const { return std::span(tokens_).first(training_); }
  std::span<const std::int32_t> validation() const { return std::span(tokens_).subspan(training_); }

  /// @throws halfstep::DataError  a character does not occur in the text
  std::vector<std::int32_t> encode(const std::string& text) const {
    std::vector<std::int32_t> tokens;
    tokens.reserve(text.size());
    for (const char c : text) {
      const auto found = std::lower_bound(characters_.begin(), characters_.end(), c);
      if (found == characters_.end() || *found != c)
        halfstep::fail<halfstep::DataError>("the character '", std::string(1, c), "' (byte ",
                                            static_cast<int>(static_cast<unsigned char>(c)),
                                            ") does not occur in the text; the model has no "
                                            "token for it");
      tokens.push_back(static_cast<std::int32_t>(found - characters_.begin()));
    }
    return tokens;
  }
  /// What writing can go on from where nobody says: a line's end, or a character that there is.
  std::string opening() const {
    return characters_.find('\n') != std::string::npos ? "\n" : characters_.substr(0, 1);
  }
  char decode(std::int32_t token) const { return characters_[static_cast<std::size_t>(token)]; }

 private:
  std::string characters_;
  std::vector<std::int32_t> tokens_;
  std::size_t training_ = 0;
};

/// The sequences that start at `starts`, each of `time` tokens and one more that follows.
template <class Setup>
TokenBatch<Setup> token_batch(std::span<const std::int32_t> tokens,
                              std::span<const std::size_t> starts, halfstep::Index time) {
  using Backend = typename Setup::Backend;
  const auto length = static_cast<std::ptrdiff_t>(time);
  std::vector<std::int32_t> x, y;
  for (const std::size_t start : starts) {
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(start);
    x.insert(x.end(), first, first + length);
    y.insert(y.end(), first + 1, first + 1 + length);
  }
  const halfstep::Shape shape{static_cast<halfstep::Index>(starts.size()), time};
  TokenBatch<Setup> batch{typename TokenBatch<Setup>::Tokens(shape),
                          typename TokenBatch<Setup>::Tokens(shape)};
  Backend::upload(std::span<const std::int32_t>(x), batch.x.data());
  Backend::upload(std::span<const std::int32_t>(y), batch.y.data());
  return batch;
}

/// Sequences from anywhere in the text.
template <class Setup>
TokenBatch<Setup> random_batch(std::span<const std::int32_t> tokens, halfstep::Index sequences,
                               halfstep::Index time, halfstep::RandomStream& random) {
  std::vector<std::size_t> starts(static_cast<std::size_t>(sequences));
  for (std::size_t& start : starts)
    start = random.below(tokens.size() - static_cast<std::size_t>(time));
  return token_batch<Setup>(tokens, starts, time);
}

/// Mean cross-entropy of the next tokens, in nats.
inline constexpr auto next_token_loss = [](const auto& model, const auto& batch) {
  return halfstep::cross_entropy(model(batch.x), batch.y);
};

/// The mean over a text cut into sequences of `loss(model, batch)`, in evaluation mode. What does
/// not fill a sequence is left out.
///
/// @param most  so many sequences, spread over the text
template <class Model, class Loss>
double mean_over_text(const Model& model, std::span<const std::int32_t> tokens,
                      halfstep::Index time, halfstep::Index most, const Loss& loss) {
  constexpr std::size_t together = 32;
  const halfstep::inference scope;
  const std::size_t length = static_cast<std::size_t>(time);
  const std::size_t whole = (tokens.size() - 1) / length;
  const std::size_t count = std::min(whole, static_cast<std::size_t>(most));
  double sum = 0.0;
  for (std::size_t first = 0; first < count; first += together) {
    std::vector<std::size_t> starts;
    for (std::size_t i = first; i < std::min(count, first + together); ++i)
      starts.push_back(i * whole / count * length);
    const auto batch = token_batch<typename Model::Setup>(tokens, starts, time);
    sum += static_cast<double>(halfstep::train::to_host(loss(model, batch)).at(0)) *
           static_cast<double>(starts.size());
  }
  return sum / static_cast<double>(count);
}

}  // namespace app
