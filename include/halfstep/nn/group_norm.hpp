#pragma once

#include <halfstep/autograd/normalization.hpp>
#include <halfstep/nn/normalization_layer.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a GroupNorm may have otherwise; of one type for all Setups, as nn::Either needs it.
struct GroupNormSettings {
  double epsilon = 1e-5;
  bool affine = true;
};

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over a sample's channels of one group,
/// for x [samples, channels, ...]; see group_norm. Weights start at 1 and biases at 0.
/// @numerics  parameters, statistics and sums in FP32 whatever the policy
template <class Setup>
class GroupNorm : public NormalizationLayer<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = GroupNormSettings;

  /// @throws ShapeError  there are no channels, or the groups do not divide them
  GroupNorm(const ModuleBase<B>& parent, std::string_view name, Index groups, Index channels,
            const Settings& settings = {})
      : NormalizationLayer<Setup>(parent, name, "GroupNorm",
                                  checked(parent.name_of(name), groups, channels), settings.affine,
                                  settings.affine),
        groups_(groups),
        epsilon_(settings.epsilon) {}

  /// @throws ShapeError  x is not [samples, channels, ...]
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    const NameScope named(this->path());
    if (x.shape().rank() < 2 || x.shape()[1] != this->shape()[0])
      fail<ShapeError>("GroupNorm '", this->path(), "': x ", autograd::described(x),
                       " is not [samples, ", this->shape()[0], ", ...]");
    return through_edge<Setup>(x, [&](const Input<Setup>& input) {
      return group_norm(input, groups_, this->weight(), this->bias(), epsilon_);
    });
  }

 private:
  static Shape checked(const std::string& path, Index groups, Index channels) {
    if (groups < 1 || channels % groups != 0)
      fail<ShapeError>("GroupNorm '", path, "': ", channels, " channels do not fall into ", groups,
                       " groups; the groups must divide the channels");
    return {channels};
  }

  Index groups_;
  double epsilon_;
};

}  // namespace halfstep
