#pragma once

#include <halfstep/autograd/recording.hpp>
#include <halfstep/autograd/slot.hpp>

#include <optional>
#include <tuple>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A tensor in a computation that can be differentiated: its value, and the node that gathers its
/// gradient where one is wanted. Copies share both.
///
/// @tparam Storage_  how the value (and its gradient) is stored
template <class Storage_, class Backend_>
class Variable {
 public:
  using Storage = Storage_;
  using Backend = Backend_;
  using Value = TensorOf<Storage, Backend>;
  using SlotType = autograd::Slot<Storage, Backend>;

  Variable() = default;
  /// A constant: no gradient is taken with respect to it.
  Variable(Value value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Variable(Value value, autograd::Handle<SlotType> slot)
      : value_(std::move(value)), slot_(std::move(slot)) {}

  /// A leaf whose gradient is wanted; `gradient()` has it after backward.
  static Variable leaf(Value value) {
    const Shape shape = value.shape();
    return {std::move(value),
            autograd::Handle<SlotType>(new autograd::LeafSlot<Storage, Backend>(shape))};
  }

  const Value& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  Index size() const { return value_.size(); }
  bool wants_gradient() const { return static_cast<bool>(slot_); }
  const autograd::Handle<SlotType>& slot() const { return slot_; }
  /// The gradient of a leaf after backward; empty where none arrived.
  /// @throws UsageError  this is a constant
  const Value& gradient() const {
    if (!slot_) fail<UsageError>("gradient: this variable is a constant; make it a leaf");
    return slot_->gradient();
  }

 private:
  Value value_;
  autograd::Handle<SlotType> slot_;
};

template <class T>
inline constexpr bool is_variable = false;
template <class S, class B>
inline constexpr bool is_variable<Variable<S, B>> = true;

/// What a variable's numbers are stored as. (CUDA 12 mistakes `typename Result::Storage` for
/// another dependent type of that name.)
template <class V>
struct StoredIn;
template <class S, class B>
struct StoredIn<Variable<S, B>> {
  using type = S;
};

namespace autograd {

/// Whether an operation on these inputs must be recorded.
/// @throws UsageError  an input belongs to a step that is over
template <class... Inputs>
bool recorded(const char* name, const Inputs&... inputs) {
  const auto check = [&](const auto& input) {
    if (input.slot() && input.slot()->used_up())
      fail<UsageError>(name, ": an input of shape ", input.shape(),
                       " outlived its step: backward has run through the operation that made it ('",
                       input.slot()->name(), "'); compute it again, or detach() it");
    return input.wants_gradient();
  };
  const bool wanted = (static_cast<int>(check(inputs)) + ... + 0) > 0;
  return wanted && recording();
}

/// The result of an operation, with the closure that takes its gradient to its inputs.
template <class T, class B, class Closure, class... Slots>
class Operation final : public Slot<T, B> {
 public:
  Operation(const char* name, const Shape& shape, Closure closure, Slots... inputs)
      : Slot<T, B>(name, shape), closure_(std::move(closure)), inputs_(std::move(inputs)...) {}

  void backward() override {
    if (closure_ && !this->gradient_.empty())
      std::apply(
          [&](const auto&... inputs) { (*closure_)(std::move(this->gradient_), inputs.get()...); },
          inputs_);
    closure_.reset();
    this->gradient_ = {};
    inputs_ = {};
  }
  void for_each_input(void (*visit)(Node*, void*), void* context) const override {
    std::apply(
        [&](const auto&... inputs) { ((inputs ? visit(inputs.get(), context) : void()), ...); },
        inputs_);
  }

 private:
  std::optional<Closure> closure_;
  std::tuple<Slots...> inputs_;
};

/// An input of an operation, for an observer.
template <class S, class B>
ObservedTensor observed(const Variable<S, B>& x) {
  if (!x.wants_gradient())
    return ObservedTensor::of<S, B>("constant", TensorRole::constant, x.value().read());
  return ObservedTensor::of<S, B>(x.slot()->label(), x.slot()->role(), x.value().read());
}

/// Names an operation's result and shows it to who observes this thread.
template <class T, class B, class... Inputs>
[[gnu::cold, gnu::noinline]] void show(const char* name, const Variable<T, B>& result,
                                       const Inputs&... inputs) {
  ObserverScope& scope = *ObserverScope::current();
  std::string label = scope.name_result(name);
  if (result.slot()) result.slot()->set_label(label);
  std::vector<ObservedTensor> shown;
  const auto add = [&](const auto& input) {
    if (!input.value().empty()) shown.push_back(observed(input));
  };
  (add(inputs), ...);
  const auto value = ObservedTensor::of<T, B>(label, TensorRole::result, result.value().read());
  scope.show(OperationResult{value, shown, result.wants_gradient()});
}

/// Makes the result of an operation that is not recorded a variable: a constant. Every operation
/// returns through this or through `record`.
template <class B, class T, class... Inputs>
Variable<T, B> unrecorded(const char* name, TensorOf<T, B> value, const Inputs&... inputs) {
  Variable<T, B> result(std::move(value));
  if (ObserverScope::current() != nullptr) show(name, result, inputs...);
  return result;
}

/// Makes an operation's result a variable. `closure(gradient, slots...)` gets the result's gradient
/// (a tensor that it may consume) and, for each input, its slot or a null pointer where that input
/// wants no gradient; it writes through `destination()` or `give()`.
template <class B, class T, class Closure, class... Inputs>
Variable<T, B> record(const char* name, TensorOf<T, B> value, Closure closure,
                      const Inputs&... inputs) {
  using Node = Operation<T, B, Closure, Handle<typename Inputs::SlotType>...>;
  const Shape shape = value.shape();
  Variable<T, B> result(std::move(value), Handle<Slot<T, B>>(new Node(
                                              name, shape, std::move(closure), inputs.slot()...)));
  if (ObserverScope::current() != nullptr) show(name, result, inputs...);
  return result;
}

}  // namespace autograd
}  // namespace halfstep
