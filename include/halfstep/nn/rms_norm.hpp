#pragma once

#include <halfstep/autograd/normalization.hpp>
#include <halfstep/nn/normalization_layer.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What an RMSNorm may have otherwise; of one type for all Setups, as nn::Either needs it.
struct RMSNormSettings {
  double epsilon = 1e-6;
  bool affine = true;
};

/// y = x / sqrt(mean(x^2) + epsilon) * weight over the last axes; see rms_norm. Weights start at 1.
/// @numerics  parameters, statistics and sums in FP32 whatever the policy
template <class Setup>
class RMSNorm : public NormalizationLayer<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = RMSNormSettings;

  /// @param normalized_shape  the last extents of what comes in
  /// @throws ShapeError  an extent is below 1
  RMSNorm(const ModuleBase<B>& parent, std::string_view name, const Shape& normalized_shape,
          const Settings& settings = {})
      : NormalizationLayer<Setup>(parent, name, "RMSNorm", normalized_shape, settings.affine,
                                  false),
        epsilon_(settings.epsilon) {}
  /// Over the last axis.
  RMSNorm(const ModuleBase<B>& parent, std::string_view name, Index width,
          const Settings& settings = {})
      : RMSNorm(parent, name, Shape{width}, settings) {}

  /// @throws ShapeError  x does not end in the normalized shape
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    const NameScope named(this->path());
    return through_edge<Setup>(x, [&](const Input<Setup>& input) {
      return rms_norm(input, this->shape(), this->weight(), epsilon_);
    });
  }

 private:
  double epsilon_;
};

}  // namespace halfstep
