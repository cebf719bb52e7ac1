#pragma once

#include <halfstep/nn/convolution_layer.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a ConvTranspose2d may have otherwise: one number for both axes, or {height, width}.
struct ConvTranspose2dLayerSettings {
  Extent2d stride = 1;
  Extent2d padding = 0;
  Extent2d output_padding = 0;
  Extent2d dilation = 1;
  Index groups = 1;
  ImageLayout layout = ImageLayout::channels_first;
  bool bias = true;
  Initialiser initialiser = nullptr;
};

/// A transposed convolution of images: conv_transpose2d with W [channels, filters / groups, kernel]
/// and b [filters]; x as Conv2d's.
///
/// Weights and biases start uniform in +-1/sqrt(filters / groups * kernel), as PyTorch's do.
/// @numerics  products and sums in Setup::Compute, bias added before the one rounding at the store
template <class Setup>
class ConvTranspose2d : public ConvolutionLayer<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = ConvTranspose2dLayerSettings;

  /// @throws ShapeError  an extent is below 1, or groups do not divide channels and filters
  ConvTranspose2d(const ModuleBase<B>& parent, std::string_view name, Index channels, Index filters,
                  const Extent2d& kernel, const Settings& settings = {})
      : ConvolutionLayer<Setup>(parent, name, checked(name, channels, filters, kernel, settings),
                                filters, settings.bias, settings.initialiser),
        settings_{settings.stride,   settings.padding, settings.output_padding,
                  settings.dilation, settings.groups,  settings.layout} {}

  /// @throws ShapeError  x does not fit, or the output padding is not below the stride
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    return this->run(x, [&](const auto&... inputs) {
      return conv_transpose2d<typename Setup::Compute>(inputs..., settings_);
    });
  }

 private:
  static Shape checked(std::string_view name, Index channels, Index filters, const Extent2d& kernel,
                       const Settings& settings) {
    ConvolutionLayer<Setup>::check("ConvTranspose2d", name, channels, filters, kernel,
                                   settings.groups);
    return {channels, filters / settings.groups, kernel.height, kernel.width};
  }

  ConvTranspose2dSettings settings_;
};

}  // namespace halfstep
