#pragma once

#include <halfstep/autograd/linear.hpp>
#include <halfstep/nn/edge.hpp>
#include <halfstep/nn/initialise.hpp>
#include <halfstep/nn/module.hpp>

#include <optional>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a Linear may have otherwise; of one type for all Setups, as nn::Either needs it.
struct LinearSettings {
  bool bias = true;
  Initialiser initialiser = nullptr;
  Initialiser bias_initialiser = nullptr;
};

/// y = x W^T + b, with W [out, in] and b [out]; x is [..., in] and y [..., out].
///
/// Weights and biases start uniform in +-1/sqrt(in), as PyTorch's do; settings choose otherwise.
/// @numerics  products and sums in Setup::Compute, bias added before the one rounding at the store
template <class Setup>
class Linear : public Module<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = LinearSettings;

  /// @throws ShapeError  an extent is below 1
  Linear(const ModuleBase<B>& parent, std::string_view name, Index in, Index out)
      : Linear(parent, name, in, out, Settings{}) {}
  Linear(const ModuleBase<B>& parent, std::string_view name, Index in, Index out,
         const Settings& settings)
      : Module<Setup>(parent, name),
        weight_(*this, "weight", checked(name, in, out),
                settings.initialiser ? settings.initialiser : by_fan_in(in)) {
    if (settings.bias)
      bias_.emplace(*this, "bias", Shape{out},
                    settings.bias_initialiser ? settings.bias_initialiser : by_fan_in(in));
  }

  /// @throws ShapeError  the last extent of x is not `in`
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    const NameScope named(this->path());
    return through_edge<Setup>(x, [&](const Input<Setup>& input) {
      using T = typename Setup::Activation;
      return linear<typename Setup::Compute>(input, as_activation<T>(weight()),
                                             as_activation<T>(bias()));
    });
  }

  Variable<typename Setup::Parameter, B> weight() const { return weight_(); }
  /// Empty where the settings say that there is none.
  Variable<typename Setup::Parameter, B> bias() const {
    return bias_ ? (*bias_)() : Variable<typename Setup::Parameter, B>();
  }

 private:
  static Initialiser by_fan_in(Index in) {
    return uniform(1.0 / std::sqrt(static_cast<double>(in)));
  }
  static Shape checked(std::string_view name, Index in, Index out) {
    if (in < 1 || out < 1)
      fail<ShapeError>("Linear '", name, "': ", in, " inputs and ", out,
                       " outputs; both must be at least 1");
    return {out, in};
  }

  typename Module<Setup>::ParameterType weight_;
  std::optional<typename Module<Setup>::ParameterType> bias_;
};

}  // namespace halfstep
