#pragma once

#include <halfstep/nn/module.hpp>

#include <functional>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// Layers and functions, each fed with what the one before it returned.
///
///   nn::Sequential<Setup> net{*this, "net"};
///   net.add<nn::Linear<Setup>>(784, 512).add([](const auto& x) { return relu(x); });
template <class Setup>
class Sequential : public Module<Setup> {
 public:
  using Value = Input<Setup>;

  Sequential(const ModuleBase<typename Setup::Backend>& parent, std::string_view name)
      : Module<Setup>(parent, name) {}

  /// Adds a layer named by its number; `arguments` follow its parent and name.
  template <class Layer, class... Arguments>
  Sequential& add(Arguments&&... arguments) {
    auto layer = std::make_shared<Layer>(*this, std::to_string(steps_.size()),
                                         std::forward<Arguments>(arguments)...);
    steps_.push_back([layer](const Value& x) -> Value { return (*layer)(x); });
    return *this;
  }
  /// Adds a function without parameters.
  template <class F>
  requires std::is_invocable_r_v < Input<Setup>,
  const F&, const Input<Setup>& > Sequential& add(F function) {
    steps_.push_back(std::move(function));
    return *this;
  }

  std::size_t size() const { return steps_.size(); }
  /// @throws UsageError  nothing was added
  Value operator()(const Value& x) const {
    if (steps_.empty()) fail<UsageError>("Sequential: no layer was added");
    Value value = x;
    for (const auto& step : steps_) value = step(value);
    return value;
  }

 private:
  std::vector<std::function<Value(const Value&)>> steps_;
};

}  // namespace halfstep
