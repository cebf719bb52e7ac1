#pragma once

#include <halfstep/core/macros.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// The random draws of a piece of a model, in their order, so that the piece can be run again with
/// the same ones.
struct DrawLog {
  std::vector<std::uint32_t> numbers;
};

/// While one lives, this thread's random draws are noted in a log (forward), or taken from it
/// again (recomputation, where statistics have been gathered too). Scopes nest.
class RecomputationScope {
 public:
  enum class Mode : std::uint8_t { note, repeat };

  RecomputationScope(DrawLog& log, Mode mode)
      : log_(&log), mode_(mode), outer_(std::exchange(current(), this)) {}
  ~RecomputationScope() { current() = outer_; }
  RecomputationScope(const RecomputationScope&) = delete;
  RecomputationScope& operator=(const RecomputationScope&) = delete;

  /// Whether this thread runs something for the second time.
  static bool repeats() {
    for (const RecomputationScope* scope = current(); scope != nullptr; scope = scope->outer_)
      if (scope->mode_ == Mode::repeat) return true;
    return false;
  }
  /// The number of the next draw: the counter's, which it moves, or that of the first run.
  static std::uint32_t draw(std::uint32_t& counter) {
    return current() == nullptr ? counter++ : current()->next(counter);
  }

 private:
  static RecomputationScope*& current() {
    static thread_local RecomputationScope* scope = nullptr;
    return scope;
  }
  std::uint32_t next(std::uint32_t& counter) {
    if (mode_ == Mode::repeat && position_ < log_->numbers.size())
      return log_->numbers[position_++];
    const std::uint32_t number = outer_ == nullptr ? counter++ : outer_->next(counter);
    if (mode_ == Mode::note) log_->numbers.push_back(number);
    return number;
  }

  DrawLog* log_;
  Mode mode_;
  std::size_t position_ = 0;
  RecomputationScope* outer_;
};

}  // namespace halfstep
