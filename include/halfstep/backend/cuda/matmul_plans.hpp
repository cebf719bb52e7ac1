#pragma once

#include <halfstep/backend/cuda/matmul_key.hpp>
#include <halfstep/backend/cuda/plan_race.hpp>
#include <halfstep/backend/deterministic_scope.hpp>
#include <halfstep/core/error.hpp>

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// Where the gradient of a bias goes that a product brings along.
struct BiasGradient {
  void* data = nullptr;
  std::size_t bytes = 0;
  bool accumulate = false;  ///< what is there is added to, so that a race must leave it alone
};

/// How each product is done: with its epilogue in one or by separate passes, and by which of
/// cuBLASLt's algorithms. The first time, the first eight that its heuristic names for either are
/// raced on the operands at hand; a DeterministicScope takes the first one. Choices are saved with
/// checkpoints. Safe to use from many threads.
///
/// @tparam Runtime  static functions:
///   `std::vector<MatmulAlgorithm> candidates(key)`  by the heuristic, best first
///   `bool accepts(key, algorithm)`  whether an algorithm of a file can do this
///   `void multiply(call, algorithm)`, and `bool try_multiply(call, algorithm)`: false where it
///       fails
///   `Race`  while one lives, what is asked for begins at once, after all that was asked for
///       before; its making throws where a race cannot be
///   `double elapsed(f)`  see fastest()
///   `Scratch scratch(bytes)`  cleared memory with `data()`
///   `void require(number, sum)`  throws where the device multiplies no such numbers
///   `std::string machine()`  what the algorithms are valid for
template <class Runtime>
class MatmulPlans {
 public:
  /// Shapes that never come back (sentences of every length) must not fill the memory.
  static constexpr std::size_t largest = 4096;

  /// The process's.
  static MatmulPlans& shared() {
    static auto* const plans = new MatmulPlans;
    return *plans;
  }

  /// Multiplies, and then lets `passes(fused, c, bias_gradient)` do what the product did not: all
  /// of the epilogue, or what is left where it was fused.
  ///
  /// The passes must stand being run more than once: on C's own memory, and on `bias`' where it is
  /// not added to, which nobody reads between; else on scratch memory.
  /// @throws BackendError  cuBLASLt knows no way
  template <class Passes>
  void run(const MatmulCall& call, const BiasGradient& bias, const Passes& passes) {
    const MatmulChoice way = choice(call, bias, passes);
    Runtime::multiply(way.fused ? call : call.separate(), way.algorithm);
    passes(way.fused, call.c, bias.data);
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return plans_.size();
  }

  /// The table as a file holds it, in an order that depends on nothing else.
  std::vector<std::int64_t> words() const {
    const std::lock_guard lock(mutex_);
    std::vector<Row> rows;
    for (const auto& [key, plan] : plans_) rows.push_back(row_of(key, plan.choice));
    std::sort(rows.begin(), rows.end());
    std::vector<std::int64_t> words;
    for (const Row& row : rows) words.insert(words.end(), row.begin(), row.end());
    return words;
  }
  static constexpr std::size_t words_of_a_plan = 15;
  static std::string machine() { return Runtime::machine(); }

  /// Takes a table's plans in the place of its own of the same keys. One of another GPU or version
  /// of cuBLASLt is none.
  void restore(std::string_view machine, const std::vector<std::int64_t>& words) {
    if (machine != Runtime::machine() || words.size() % words_of_a_plan != 0) return;
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < words.size() && plans_.size() < largest; i += words_of_a_plan) {
      Row row;
      std::copy_n(words.begin() + static_cast<std::ptrdiff_t>(i), row.size(), row.begin());
      MatmulKey::Words key;
      Plan plan{{row[key.size()] != 0, {}}, false};
      std::copy_n(row.begin(), key.size(), key.begin());
      std::copy_n(row.begin() + key.size() + 1, plan.choice.algorithm.words.size(),
                  plan.choice.algorithm.words.begin());
      plans_.insert_or_assign(MatmulKey::from_words(key), plan);
    }
  }

 private:
  struct Plan {
    MatmulChoice choice;
    bool checked = true;  ///< a file's is checked when it is first used
  };
  using Row = std::array<std::int64_t, words_of_a_plan>;

  static Row row_of(const MatmulKey& key, const MatmulChoice& choice) {
    Row row;
    auto to = row.begin();
    for (const std::int64_t word : key.words()) *to++ = word;
    *to++ = choice.fused ? 1 : 0;
    for (const std::int64_t word : choice.algorithm.words) *to++ = word;
    return row;
  }

  template <class Passes>
  MatmulChoice choice(const MatmulCall& call, const BiasGradient& bias, const Passes& passes) {
    const std::lock_guard lock(mutex_);
    const auto found = plans_.find(call.key);
    if (found != plans_.end()) {
      Plan& plan = found->second;
      const MatmulKey key = plan.choice.fused ? call.key : call.key.separate();
      if (!plan.checked) plan.checked = Runtime::accepts(key, plan.choice.algorithm);
      if (plan.checked) return plan.choice;
    }
    const MatmulChoice way = choose(call, bias, passes);
    if (plans_.size() >= largest) plans_.clear();
    plans_.insert_or_assign(call.key, Plan{way});
    return way;
  }

  template <class Passes>
  static MatmulChoice choose(const MatmulCall& call, const BiasGradient& bias,
                             const Passes& passes) {
    const MatmulKey& key = call.key;
    std::vector<MatmulChoice> ways;
    const auto add = [&](bool fused, const MatmulKey& of) {
      for (const MatmulAlgorithm& one : Runtime::candidates(of)) ways.push_back({fused, one});
    };
    if (key.fusable()) add(true, key);
    if (!key.prefers_fused() || ways.empty()) add(false, key.separate());
    const auto refuse = [&](const auto&... why) {
      fail<BackendError>("cuBLASLt knows no way to multiply [", key.m, ", ", key.k, "] by [", key.k,
                         ", ", key.n, "] on this GPU", why...);
    };
    if (ways.empty()) refuse();
    if (key.deterministic || ways.size() == 1) return ways.front();

    [[maybe_unused]] const typename Runtime::Race race;
    // What a product adds to must not be added to by a race; what it overwrites nobody reads.
    auto scratch_c = Runtime::scratch(key.accumulate ? bytes_of_c(key) : 0);
    auto scratch_bias = Runtime::scratch(bias.accumulate ? bias.bytes : 0);
    MatmulCall trial = call;
    if (key.accumulate) trial.c = scratch_c.data();
    void* const to_bias = bias.accumulate ? scratch_bias.data() : bias.data;
    const auto best = fastest<Runtime>(ways, [&](const MatmulChoice& way) {
      if (!Runtime::try_multiply(way.fused ? trial : trial.separate(), way.algorithm)) return false;
      passes(way.fused, trial.c, to_bias);
      return true;
    });
    if (!best) refuse(": each of the ", ways.size(), " that it names fails");
    return *best;
  }

  static std::size_t bytes_of_c(const MatmulKey& key) {
    const std::size_t width = key.out == MatmulNumber::float64   ? 8
                              : key.out == MatmulNumber::float32 ? 4
                                                                 : 2;
    return static_cast<std::size_t>(key.batch * key.m * key.n) * width;
  }

  mutable std::mutex mutex_;
  std::unordered_map<MatmulKey, Plan, MatmulKey::Hash> plans_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::backend::cuda
