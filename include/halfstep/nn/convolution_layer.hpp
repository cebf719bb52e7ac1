#pragma once

#include <halfstep/autograd/convolution.hpp>
#include <halfstep/nn/edge.hpp>
#include <halfstep/nn/initialise.hpp>
#include <halfstep/nn/module.hpp>

#include <optional>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What convolutions have alike: a weight and perhaps a bias, uniform in +-1/sqrt(fan in) at first,
/// as PyTorch's are.
template <class Setup>
class ConvolutionLayer : public Module<Setup> {
  using B = typename Setup::Backend;

 public:
  Variable<typename Setup::Parameter, B> weight() const { return weight_(); }

 protected:
  /// @param weight  its second axis and the ones after it count the inputs of an element
  ConvolutionLayer(const ModuleBase<B>& parent, std::string_view name, const Shape& weight,
                   Index filters, bool bias, const Initialiser& initialiser)
      : Module<Setup>(parent, name),
        weight_(*this, "weight", weight, initialiser ? initialiser : by_fan_in(weight)) {
    if (bias) bias_.emplace(*this, "bias", Shape{filters}, by_fan_in(weight));
  }

  /// operation(x, weight, bias) in the layer's own precision.
  template <class S, class Operation>
  auto run(const Variable<S, B>& x, const Operation& operation) const {
    const NameScope named(this->path());
    return through_edge<Setup>(x, [&](const Input<Setup>& input) {
      using T = typename Setup::Activation;
      return operation(input, as_activation<T>(weight_()),
                       bias_ ? as_activation<T>((*bias_)()) : Variable<T, B>());
    });
  }

  /// @throws ShapeError  an extent is below 1, or groups do not divide channels and filters
  static void check(const char* layer, std::string_view name, Index channels, Index filters,
                    const Extent2d& kernel, Index groups) {
    if (channels < 1 || filters < 1 || kernel.height < 1 || kernel.width < 1 || groups < 1)
      fail<ShapeError>(layer, " '", name, "': ", channels, " channels, ", filters,
                       " filters, the kernel ", kernel, " and ", groups,
                       " groups must be at least 1");
    if (channels % groups != 0 || filters % groups != 0)
      fail<ShapeError>(layer, " '", name, "': ", channels, " channels and ", filters,
                       " filters are not divisible by ", groups,
                       " groups; choose a number of groups that divides both");
  }

 private:
  static Initialiser by_fan_in(const Shape& weight) {
    return uniform(1.0 / std::sqrt(static_cast<double>(fan_in(weight))));
  }

  typename Module<Setup>::ParameterType weight_;
  std::optional<typename Module<Setup>::ParameterType> bias_;
};

}  // namespace halfstep
