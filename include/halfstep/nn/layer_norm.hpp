#pragma once

#include <halfstep/autograd/normalization.hpp>
#include <halfstep/nn/normalization_layer.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a LayerNorm may have otherwise; of one type for all Setups, as nn::Either needs it.
struct LayerNormSettings {
  double epsilon = 1e-5;
  bool affine = true;  ///< a weight and, where `bias` says so, a bias
  bool bias = true;
};

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over the last axes; see layer_norm.
/// Weights start at 1 and biases at 0.
/// @numerics  parameters, statistics and sums in FP32 whatever the policy
template <class Setup>
class LayerNorm : public NormalizationLayer<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = LayerNormSettings;

  /// @param normalized_shape  the last extents of what comes in
  /// @throws ShapeError  an extent is below 1
  LayerNorm(const ModuleBase<B>& parent, std::string_view name, const Shape& normalized_shape,
            const Settings& settings = {})
      : NormalizationLayer<Setup>(parent, name, "LayerNorm", normalized_shape, settings.affine,
                                  settings.affine && settings.bias),
        epsilon_(settings.epsilon) {}
  /// Over the last axis.
  LayerNorm(const ModuleBase<B>& parent, std::string_view name, Index width,
            const Settings& settings = {})
      : LayerNorm(parent, name, Shape{width}, settings) {}

  /// @throws ShapeError  x does not end in the normalized shape
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    const NameScope named(this->path());
    return through_edge<Setup>(x, [&](const Input<Setup>& input) {
      return layer_norm(input, this->shape(), this->weight(), this->bias(), epsilon_);
    });
  }

 private:
  double epsilon_;
};

}  // namespace halfstep
