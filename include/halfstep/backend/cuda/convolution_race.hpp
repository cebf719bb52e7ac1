#pragma once

#include <halfstep/core/hash.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/ops/convolution.hpp>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
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
  std::uint64_t hash() const {
    const ConvolutionProblem& p = problem;
    return hash_of({p.batch,
                    p.channels,
                    p.filters,
                    p.groups,
                    p.input.height,
                    p.input.width,
                    p.kernel.height,
                    p.kernel.width,
                    p.stride.height,
                    p.stride.width,
                    p.padding.height,
                    p.padding.width,
                    p.dilation.height,
                    p.dilation.width,
                    static_cast<Index>(p.layout),
                    static_cast<Index>(pass),
                    static_cast<Index>(storage),
                    tf32,
                    bias,
                    accumulate,
                    deterministic});
  }
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
};

/// The algorithms of the process's convolutions, each chosen once: the fastest of the library's and
/// of products of windows, or, of a deterministic key, the first that the library names.
///
/// @tparam Library  `static std::vector<ConvolutionAlgorithm> algorithms(const ConvolutionKey&)`:
///                  those that give the same bits in every run, likely ones first; none where it
///                  cannot do it
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

 private:
  static constexpr std::size_t largest = 4096;
  struct Hash {
    std::size_t operator()(const ConvolutionKey& key) const {
      return static_cast<std::size_t>(key.hash());
    }
  };

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

  std::mutex mutex_;
  std::unordered_map<ConvolutionKey, ConvolutionAlgorithm, Hash> chosen_;
};

}  // namespace halfstep
