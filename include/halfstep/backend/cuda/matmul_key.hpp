#pragma once

#include <halfstep/core/hash.hpp>
#include <halfstep/ops/backend.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

enum class MatmulNumber : std::uint8_t { float32, float16, bfloat16, float64 };
enum class MatmulSum : std::uint8_t { float32, tf32, float64 };

/// What a product does on its way out besides alpha op(A) op(B) + beta C.
enum class Epilogue : std::uint8_t {
  none,           ///< at most adds a bias
  gelu,           ///< C = gelu(before), the tanh form; keeps `before`, the product, if asked
  gelu_backward,  ///< C = gelu'(before) * the product; and its columns' sums, the bias' gradient
  sums_of_a,      ///< besides C, the sums of op(A)'s rows: a weight gradient's bias gradient
};

/// What a product's plan depends on, without a gap between its members: it is compared, hashed and
/// saved as words.
struct MatmulKey {
  Index batch = 1;
  Index m = 0;
  Index n = 0;
  Index k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  bool accumulate = false;  ///< beta is not 0
  MatmulNumber in = MatmulNumber::float32;
  MatmulNumber out = MatmulNumber::float32;
  MatmulSum sum = MatmulSum::float32;
  Epilogue epilogue = Epilogue::none;
  /// A bias is added, or in a backward epilogue its gradient is wanted.
  bool bias = false;
  /// The epilogue writes what is before the activation, or reads it.
  bool before = false;
  /// What passes over C follow in any case: they decide which way is the fastest.
  Activation activation = Activation::none;
  /// The first way was taken, no race was run.
  bool deterministic = false;
  /// What the addresses of a, b, c, the bias and `before` are multiples of, told truly: up to 16.
  std::uint8_t alignment_a = 16;
  std::uint8_t alignment_b = 16;
  std::uint8_t alignment_c = 16;
  std::uint8_t alignment_bias = 16;
  std::uint8_t alignment_before = 16;

  using Words = std::array<std::int64_t, 6>;
  Words words() const { return std::bit_cast<Words>(*this); }
  static MatmulKey from_words(const Words& words) { return std::bit_cast<MatmulKey>(words); }
  friend bool operator==(const MatmulKey& a, const MatmulKey& b) { return a.words() == b.words(); }

  struct Hash {
    std::size_t operator()(const MatmulKey& key) const {
      return static_cast<std::size_t>(hash_of(key.words()));
    }
  };

  /// The product whose result separate passes then finish.
  MatmulKey separate() const {
    MatmulKey key = *this;
    key.epilogue = Epilogue::none;
    // What comes before a GELU is a product with a bias; other epilogues' parts are all passes.
    key.bias = bias && epilogue == Epilogue::gelu;
    if (epilogue == Epilogue::gelu && before) key.alignment_c = alignment_before;
    key.before = false;
    key.alignment_before = 16;
    if (!key.bias) key.alignment_bias = 16;
    return key;
  }

  /// Whether cuBLASLt may be asked for the product and its epilogue in one.
  bool fusable() const {
    if (epilogue == Epilogue::none) return bias;
    // The leading dimension of `before` must be a multiple of 8.
    const bool fits = !before || (n % 8 == 0 && alignment_before == 16);
    return batch == 1 && fits && in != MatmulNumber::float64;
  }
  /// Whether separate passes are only for want of a fused epilogue: of two ways the first must
  /// stand, or a bias that is added to what is stored in 16 bits would round that twice.
  bool prefers_fused() const {
    const bool narrow = out == MatmulNumber::float16 || out == MatmulNumber::bfloat16;
    return deterministic || (epilogue == Epilogue::none && narrow);
  }
};
static_assert(std::has_unique_object_representations_v<MatmulKey>);

/// The largest power of two up to 16 that an address is a multiple of; 16 for a null pointer.
inline std::uint8_t alignment_of(const void* address) {
  const auto bits = reinterpret_cast<std::uintptr_t>(address) | 16u;
  return static_cast<std::uint8_t>(bits & (~bits + 1));
}

/// One product: what it does, and to which memory.
struct MatmulCall {
  MatmulKey key;
  double alpha = 1.0;
  double beta = 0.0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  void* bias = nullptr;    ///< read, or where its gradient is written
  void* before = nullptr;  ///< written by a GELU, read by its backward

  MatmulCall separate() const {
    MatmulCall call = *this;
    call.key = key.separate();
    if (key.epilogue == Epilogue::gelu && key.before) call.c = before;
    return call;
  }
};

/// How many algorithms a race is run between, with the epilogue and without.
inline constexpr int most_candidates = 8;

/// How cuBLASLt multiplies, as it says itself: valid for its version on this kind of GPU.
struct MatmulAlgorithm {
  std::array<std::int64_t, 8> words{};
  friend bool operator==(const MatmulAlgorithm&, const MatmulAlgorithm&) = default;
};

/// The way that was chosen for a key.
struct MatmulChoice {
  bool fused = false;  ///< the epilogue in the product; else separate passes
  MatmulAlgorithm algorithm;
  friend bool operator==(const MatmulChoice&, const MatmulChoice&) = default;
};

}  // namespace halfstep::inline HALFSTEP_ABI::backend::cuda
