#pragma once

#include <halfstep/nn/convolution_layer.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a Conv1d may have otherwise.
struct Conv1dLayerSettings {
  Index stride = 1;
  Index padding = 0;
  Index dilation = 1;
  Index groups = 1;
  ImageLayout layout = ImageLayout::channels_first;
  bool bias = true;
  Initialiser initialiser = nullptr;
};

/// A convolution of sequences: conv1d with W [filters, channels / groups, kernel] and b [filters];
/// x is [batch, channels, length], or [batch, length, channels] with channels last.
///
/// Weights and biases start as Conv2d's.
/// @numerics  products and sums in Setup::Compute, bias added before the one rounding at the store
template <class Setup>
class Conv1d : public ConvolutionLayer<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = Conv1dLayerSettings;

  /// @throws ShapeError  an extent is below 1, or groups do not divide channels and filters
  Conv1d(const ModuleBase<B>& parent, std::string_view name, Index channels, Index filters,
         Index kernel, const Settings& settings = {})
      : ConvolutionLayer<Setup>(parent, name, checked(name, channels, filters, kernel, settings),
                                filters, settings.bias, settings.initialiser),
        settings_{settings.stride, settings.padding, settings.dilation, settings.groups,
                  settings.layout} {}

  /// @throws ShapeError  x does not fit, or the kernel is larger than the padded input
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    return this->run(x, [&](const auto&... inputs) {
      return conv1d<typename Setup::Compute>(inputs..., settings_);
    });
  }

 private:
  static Shape checked(std::string_view name, Index channels, Index filters, Index kernel,
                       const Settings& settings) {
    ConvolutionLayer<Setup>::check("Conv1d", name, channels, filters, {1, kernel}, settings.groups);
    return {filters, channels / settings.groups, kernel};
  }

  Conv1dSettings settings_;
};

}  // namespace halfstep
