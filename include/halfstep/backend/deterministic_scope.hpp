#pragma once

#include <halfstep/core/macros.hpp>

namespace halfstep::inline HALFSTEP_ABI::backend {

/// While one lives, this thread's operations have the same bits in every process on the same
/// machine: a backend that would race the ways to do something takes the one that is named first.
/// One that is made with `false` changes nothing.
class DeterministicScope {
 public:
  explicit DeterministicScope(bool on = true) : before_(active_) { active_ = active_ || on; }
  ~DeterministicScope() { active_ = before_; }
  DeterministicScope(const DeterministicScope&) = delete;
  DeterministicScope& operator=(const DeterministicScope&) = delete;

  /// Whether this thread is in such a scope.
  static bool active() { return active_; }

 private:
  static inline thread_local bool active_ = false;
  bool before_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::backend
