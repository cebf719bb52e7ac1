#pragma once

#include <halfstep/core/macros.hpp>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {
/// Whether this thread's operations are recorded for backward.
inline bool& recording() {
  static thread_local bool on = true;
  return on;
}
/// Whether layers that act otherwise in training (dropout) must act as in evaluation.
inline bool& evaluating() {
  static thread_local bool on = false;
  return on;
}
}  // namespace autograd

/// While one lives, this thread's operations record nothing.
class no_gradient {
 public:
  no_gradient() : before_(autograd::recording()) { autograd::recording() = false; }
  ~no_gradient() { autograd::recording() = before_; }
  no_gradient(const no_gradient&) = delete;
  no_gradient& operator=(const no_gradient&) = delete;

 private:
  bool before_;
};

/// While one lives, this thread's operations record nothing and layers act as in evaluation; other
/// threads go on training.
class inference {
 public:
  inference() : before_(autograd::evaluating()) { autograd::evaluating() = true; }
  ~inference() { autograd::evaluating() = before_; }
  inference(const inference&) = delete;
  inference& operator=(const inference&) = delete;

 private:
  no_gradient unrecorded_;
  bool before_;
};

}  // namespace halfstep
