#pragma once

#include <halfstep/core/macros.hpp>

#include <utility>

namespace halfstep::inline HALFSTEP_ABI::backend {

namespace detail {
inline bool& thread_is_deterministic() {
  static thread_local bool value = false;
  return value;
}
}  // namespace detail

/// Whether this thread's plans must not depend on a race: see DeterministicScope.
inline bool deterministic() { return detail::thread_is_deterministic(); }

/// While it lives, its thread takes plans of products and convolutions by rule, never by a race of
/// their times, so that two runs of a program have the same bits without a plan table.
class DeterministicScope {
 public:
  DeterministicScope() : before_(std::exchange(detail::thread_is_deterministic(), true)) {}
  ~DeterministicScope() { detail::thread_is_deterministic() = before_; }
  DeterministicScope(const DeterministicScope&) = delete;
  DeterministicScope& operator=(const DeterministicScope&) = delete;

 private:
  bool before_;
};

}  // namespace halfstep
