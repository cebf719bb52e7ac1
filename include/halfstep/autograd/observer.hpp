#pragma once

#include <halfstep/autograd/observed_tensor.hpp>

#include <map>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

namespace autograd {

/// An operation's result, and what it was computed from.
struct OperationResult {
  const ObservedTensor& value;  ///< its name is the operation's as well
  std::span<const ObservedTensor> inputs;
  bool recorded;  ///< whether backward may come to it
};

/// What an operation's backward has added to the gradients of its inputs: each is all that was
/// gathered for that tensor so far, has its name, and is complete where no other operation used it.
struct OperationGradients {
  std::string_view operation;
  std::span<const ObservedTensor> gradients;
};

/// Somebody who is shown what a thread computes, while an `ObserverScope` lives. It may read the
/// tensors (which waits for them) and throw: the computation ends there, and nothing else is lost.
class Observer {
 public:
  virtual ~Observer() = default;
  /// Every operation, recorded for backward or not, as soon as it was computed.
  virtual void result(const OperationResult&) {}
  /// Every recorded operation that backward runs through, latest first.
  virtual void gradients(const OperationGradients&) {}
  /// A backward pass has come to its end.
  virtual void backward_ended() {}
};

/// The path of the layer whose operations this thread runs, for names.
inline std::string_view& name_path() {
  static thread_local std::string_view path;
  return path;
}

}  // namespace autograd

/// While one lives, results of this thread's operations are called "<path>.<operation>" where
/// somebody observes them. Layers open one with their own path, which the innermost replaces.
class NameScope {
 public:
  /// @param path  outlives the scope
  explicit NameScope(std::string_view path) : before_(std::exchange(autograd::name_path(), path)) {}
  ~NameScope() { autograd::name_path() = before_; }
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;

 private:
  std::string_view before_;
};

/// While one lives, its observer is shown what this thread computes; observers of scopes outside
/// are too, after it. Without any, an operation pays for one look at a pointer.
class ObserverScope {
 public:
  /// @param observer  outlives the scope
  explicit ObserverScope(autograd::Observer& observer)
      : observer_(&observer), outer_(std::exchange(current(), this)) {}
  ~ObserverScope() { current() = outer_; }
  ObserverScope(const ObserverScope&) = delete;
  ObserverScope& operator=(const ObserverScope&) = delete;

  /// This thread's innermost scope, or a null pointer.
  static ObserverScope*& current() {
    static thread_local ObserverScope* scope = nullptr;
    return scope;
  }

  /// What the next result of an operation is called: each call within a step has its own name.
  std::string name_result(const char* operation) {
    std::string name(autograd::name_path());
    if (!name.empty()) name += '.';
    name += operation;
    const int count = ++uses_[name];
    return count == 1 ? name : name + "#" + std::to_string(count);
  }
  void show(const autograd::OperationResult& result) const {
    for (const ObserverScope* scope = this; scope != nullptr; scope = scope->outer_)
      scope->observer_->result(result);
  }
  void show(const autograd::OperationGradients& gradients) const {
    for (const ObserverScope* scope = this; scope != nullptr; scope = scope->outer_)
      scope->observer_->gradients(gradients);
  }
  /// Names begin anew.
  void end_backward() {
    for (ObserverScope* scope = this; scope != nullptr; scope = scope->outer_) {
      scope->observer_->backward_ended();
      scope->uses_.clear();
    }
  }

 private:
  autograd::Observer* observer_;
  ObserverScope* outer_;
  std::map<std::string, int> uses_;
};

}  // namespace halfstep
