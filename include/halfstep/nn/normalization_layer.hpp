#pragma once

#include <halfstep/nn/edge.hpp>
#include <halfstep/nn/initialise.hpp>
#include <halfstep/nn/module.hpp>

#include <optional>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What normalization layers share: a weight and a bias of one shape, in FP32 whatever the policy.
template <class Setup>
class NormalizationLayer : public Module<Setup> {
  using B = typename Setup::Backend;

 public:
  /// FP32; double in a model that stores doubles.
  using Statistic = typename numeric_traits<typename Setup::Activation>::compute;

  /// The weight, or an empty variable where the layer has none.
  Variable<Statistic, B> weight() const {
    return weight_ ? (*weight_)() : Variable<Statistic, B>();
  }
  /// The bias, or an empty variable where the layer has none.
  Variable<Statistic, B> bias() const { return bias_ ? (*bias_)() : Variable<Statistic, B>(); }

 protected:
  /// @param kind  the layer's type, for messages
  /// @throws ShapeError  an extent is below 1, or there is none
  NormalizationLayer(const ModuleBase<B>& parent, std::string_view name, const char* kind,
                     const Shape& shape, bool weight, bool bias)
      : Module<Setup>(parent, name), shape_(shape) {
    if (shape.rank() == 0 || shape.size() < 1)
      fail<ShapeError>(kind, " '", this->path(), "': the shape ", shape,
                       " has no elements; every extent must be at least 1");
    if (weight) weight_.emplace(*this, "weight", shape, constant(1.0f));
    if (bias) bias_.emplace(*this, "bias", shape, constant(0.0f));
  }

  const Shape& shape() const { return shape_; }

 private:
  Shape shape_;
  std::optional<nn::Parameter<Statistic, B>> weight_;
  std::optional<nn::Parameter<Statistic, B>> bias_;
};

}  // namespace halfstep
