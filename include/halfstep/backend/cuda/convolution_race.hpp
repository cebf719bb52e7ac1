#pragma once

#include <halfstep/core/hash.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/ops/convolution.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// What the three arrays of a convolution are stored in.
enum class ConvolutionStorage : std::uint8_t { float32, float16, bfloat16 };
template <class S>
inline constexpr ConvolutionStorage convolution_storage =
    std::is_same_v<S, float16>    ? ConvolutionStorage::float16
    : std::is_same_v<S, bfloat16> ? ConvolutionStorage::bfloat16
                                  : ConvolutionStorage::float32;

/// What the algorithm of a convolution depends on.
struct ConvolutionKey {
  ConvolutionProblem problem;
  ConvolutionPass pass = ConvolutionPass::forward;
  ConvolutionStorage storage = ConvolutionStorage::float32;
  bool tf32 = false;           ///< FP32 products may be rounded to TF32
  bool bias = false;           ///< not of the pass `weight`
  bool accumulate = false;     ///< the result is added
  bool deterministic = false;  ///< chosen by rule, never by a race

  friend bool operator==(const ConvolutionKey&, const ConvolutionKey&) = default;

  /// Calls f with each number that makes the key: what tables compare and files hold.
  template <class Key, class F>
  static void for_each_number(Key& key, const F& f) {
    auto& p = key.problem;
    const auto each = [&](auto&... numbers) { (f(numbers), ...); };
    each(p.batch, p.channels, p.filters, p.groups, p.input.height, p.input.width, p.output.height,
         p.output.width, p.kernel.height, p.kernel.width, p.stride.height, p.stride.width,
         p.padding.height, p.padding.width, p.dilation.height, p.dilation.width, p.layout);
    each(key.pass, key.storage, key.tf32, key.bias, key.accumulate, key.deterministic);
  }
  static constexpr std::size_t count = 23;

  struct Hash {
    std::size_t operator()(const ConvolutionKey& key) const {
      std::array<std::int64_t, count> numbers;
      auto to = numbers.begin();
      for_each_number(key, [&](const auto& x) { *to++ = static_cast<std::int64_t>(x); });
      return static_cast<std::size_t>(hash_of(numbers));
    }
  };
};

/// A way to compute a convolution: as products of windows, or by the library's algorithm of this
/// number.
struct ConvolutionAlgorithm {
  bool of_library = false;
  bool adds_bias = false;  ///< in the same pass
  std::int32_t number = 0;
  std::int32_t math = 0;  ///< the library's name for what its products are made of
  std::size_t workspace_bytes = 0;

  friend bool operator==(const ConvolutionAlgorithm&, const ConvolutionAlgorithm&) = default;

  template <class Algorithm, class F>
  static void for_each_number(Algorithm& algorithm, const F& f) {
    f(algorithm.of_library);
    f(algorithm.adds_bias);
    f(algorithm.number);
    f(algorithm.math);
    f(algorithm.workspace_bytes);
  }
  static constexpr std::size_t count = 5;
};

/// The algorithms of the process's convolutions, each chosen once: the fastest of the library's and
/// of products of windows, or, of a deterministic key, the first that the library names. Choices
/// are saved with checkpoints.
///
/// @tparam Library  `static std::vector<ConvolutionAlgorithm> algorithms(const ConvolutionKey&)`:
///                  those that give the same bits in every run, likely ones first; none where it
///                  cannot do it. `static std::string machine()`: what they are valid for
template <class Library>
class ConvolutionRace {
 public:
  static ConvolutionRace& shared() {
    static ConvolutionRace* const race = new ConvolutionRace;
    return *race;
  }

  /// @param race  the fastest of several algorithms, or nothing; called where there is a race
  template <class Race>
  ConvolutionAlgorithm choose(const ConvolutionKey& key, const Race& race) {
    const std::lock_guard lock(mutex_);
    const auto found = chosen_.find(key);
    if (found != chosen_.end()) return found->second;
    // Shapes that never come back must not fill the memory.
    if (chosen_.size() >= largest) chosen_.clear();
    return chosen_.emplace(key, first_choice(key, race)).first->second;
  }

  /// The table as a file holds it, in an order that depends on nothing else.
  std::vector<std::int64_t> words() const {
    const std::lock_guard lock(mutex_);
    std::vector<Row> rows;
    for (const auto& [key, algorithm] : chosen_) {
      Row& row = rows.emplace_back();
      auto to = row.begin();
      const auto write = [&](const auto& x) { *to++ = static_cast<std::int64_t>(x); };
      ConvolutionKey::for_each_number(key, write);
      ConvolutionAlgorithm::for_each_number(algorithm, write);
    }
    std::sort(rows.begin(), rows.end());
    std::vector<std::int64_t> words;
    for (const Row& row : rows) words.insert(words.end(), row.begin(), row.end());
    return words;
  }
  static constexpr std::size_t words_of_a_plan =
      ConvolutionKey::count + ConvolutionAlgorithm::count;
  static std::string machine() { return Library::machine(); }

  /// Takes a table's choices in the place of its own of the same keys. One of another GPU or
  /// version of the library is none.
  void restore(std::string_view machine, const std::vector<std::int64_t>& words) {
    if (machine != Library::machine() || words.size() % words_of_a_plan != 0) return;
    const std::lock_guard lock(mutex_);
    for (auto from = words.begin(); from != words.end() && chosen_.size() < largest;) {
      const auto read = [&]<class T>(T& x) { x = static_cast<T>(*from++); };
      ConvolutionKey key;
      ConvolutionAlgorithm algorithm;
      ConvolutionKey::for_each_number(key, read);
      ConvolutionAlgorithm::for_each_number(algorithm, read);
      chosen_.insert_or_assign(key, algorithm);
    }
  }

 private:
  using Row = std::array<std::int64_t, words_of_a_plan>;
  static constexpr std::size_t largest = 4096;
  template <class Race>
  static ConvolutionAlgorithm first_choice(const ConvolutionKey& key, const Race& race) {
    std::vector<ConvolutionAlgorithm> candidates = Library::algorithms(key);
    if (candidates.empty()) return {};
    if (key.deterministic) return candidates.front();
    candidates.emplace_back();  // products of windows
    // Without memory for a race, or where all fail, the library's guess: what is wrong shows when
    // it runs.
    return race(candidates).value_or(candidates.front());
  }

  mutable std::mutex mutex_;
  std::unordered_map<ConvolutionKey, ConvolutionAlgorithm, ConvolutionKey::Hash> chosen_;
};

}  // namespace halfstep
