#pragma once

#include <halfstep/nn/convolution_layer.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a Conv2d may have otherwise: one number for both axes, or {height, width}.
struct Conv2dLayerSettings {
  Extent2d stride = 1;
  Extent2d padding = 0;
  Extent2d dilation = 1;
  Index groups = 1;
  ImageLayout layout = ImageLayout::channels_first;
  bool bias = true;
  Initialiser initialiser = nullptr;
};

/// A convolution of images: conv2d with W [filters, channels / groups, kernel] and b [filters]; x
/// is [batch, channels, height, width], or [batch, height, width, channels] with
/// `.layout = ImageLayout::channels_last`, which is faster on CPUs.
///
/// Weights and biases start uniform in +-1/sqrt(channels / groups * kernel), as PyTorch's do;
/// settings choose otherwise.
/// @numerics  products and sums in Setup::Compute, bias added before the one rounding at the store
template <class Setup>
class Conv2d : public ConvolutionLayer<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = Conv2dLayerSettings;

  /// @throws ShapeError  an extent is below 1, or groups do not divide channels and filters
  Conv2d(const ModuleBase<B>& parent, std::string_view name, Index channels, Index filters,
         const Extent2d& kernel, const Settings& settings = {})
      : ConvolutionLayer<Setup>(parent, name, checked(name, channels, filters, kernel, settings),
                                filters, settings.bias, settings.initialiser),
        settings_{settings.stride, settings.padding, settings.dilation, settings.groups,
                  settings.layout} {}

  /// @throws ShapeError  x does not fit, or the kernel is larger than the padded input
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    return this->run(x, [&](const auto&... inputs) {
      return conv2d<typename Setup::Compute>(inputs..., settings_);
    });
  }

 private:
  static Shape checked(std::string_view name, Index channels, Index filters, const Extent2d& kernel,
                       const Settings& settings) {
    ConvolutionLayer<Setup>::check("Conv2d", name, channels, filters, kernel, settings.groups);
    return {filters, channels / settings.groups, kernel.height, kernel.width};
  }

  Conv2dSettings settings_;
};

}  // namespace halfstep
