#pragma once

#include <halfstep/autograd/batch_norm.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/nn/normalization_layer.hpp>
#include <halfstep/nn/statistic.hpp>
#include <halfstep/ops/image.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a BatchNorm may have otherwise; of one type for all Setups, as nn::Either needs it.
struct BatchNormSettings {
  double epsilon = 1e-5;
  double momentum = 0.1;  ///< the share of the newest batch in the running statistics
  bool affine = true;
  /// Otherwise evaluation takes the batch's own mean and variance too.
  bool track_running_stats = true;
  ImageLayout layout = ImageLayout::channels_first;
};

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias by channel, for x [samples, channels,
/// ...] with any number of axes of positions, or [samples, ..., channels] with
/// `.layout = ImageLayout::channels_last`; see batch_norm. Training takes the batch's mean and
/// variance, and moves `running_mean` and `running_var` (of the variance over n - 1) by `momentum`
/// towards them once the step is applied; evaluation takes the running ones. Weights start at 1,
/// biases and means at 0, variances at 1.
/// @numerics  parameters, statistics and sums in FP32 whatever the policy
template <class Setup>
class BatchNorm : public NormalizationLayer<Setup> {
  using B = typename Setup::Backend;
  using T = typename NormalizationLayer<Setup>::Statistic;

 public:
  using Settings = BatchNormSettings;

  /// @throws ShapeError  there are no channels
  /// @throws UsageError  the momentum is not within [0, 1]
  BatchNorm(const ModuleBase<B>& parent, std::string_view name, Index channels,
            const Settings& settings = {})
      : NormalizationLayer<Setup>(parent, name, "BatchNorm",
                                  checked(parent.name_of(name), channels, settings),
                                  settings.affine, settings.affine),
        settings_(settings) {
    if (!settings.track_running_stats) return;
    mean_.emplace(*this, "running_mean", Shape{channels}, 0.0f);
    variance_.emplace(*this, "running_var", Shape{channels}, 1.0f);
  }

  /// @throws ShapeError  x has other channels or fewer than two axes, or has one value per channel
  ///                     in training
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    const NameScope named(this->path());
    const Index channels = this->shape()[0];
    const bool last = settings_.layout == ImageLayout::channels_last;
    if (x.shape().rank() < 2 || x.shape()[last ? -1 : 1] != channels)
      fail<ShapeError>("BatchNorm '", this->path(), "': x ", autograd::described(x),
                       " is not [samples, ", last ? "..., " : "", channels, last ? "]" : ", ...]");
    return through_edge<Setup>(x, [&](const Input<Setup>& input) {
      // Each position of channels in a row is a sample of its own.
      if (last) return reshape(normalized(reshape(input, {-1, channels})), input.shape());
      return normalized(input);
    });
  }

 private:
  Input<Setup> normalized(const Input<Setup>& x) const {
    if (mean_ && !this->training())
      return batch_norm(x, stored_as<T>((*mean_)()), stored_as<T>((*variance_)()), this->weight(),
                        this->bias(), settings_.epsilon);
    auto result = batch_norm(x, this->weight(), this->bias(), settings_.epsilon);
    if (mean_ && this->training()) {
      mean_->observe(stored_as<float>(result.mean), settings_.momentum);
      variance_->observe(stored_as<float>(result.variance), settings_.momentum);
    }
    return result.y;
  }
  static Shape checked(const std::string& path, Index channels, const Settings& settings) {
    if (!(settings.momentum >= 0.0 && settings.momentum <= 1.0))
      fail<UsageError>("BatchNorm '", path, "': the momentum ", settings.momentum,
                       " is not within [0, 1]");
    return {channels};
  }
  /// Running statistics are FP32 in a model of doubles too.
  template <class To, class From>
  static TensorOf<To, B> stored_as(const TensorOf<From, B>& from) {
    if constexpr (std::same_as<To, From>) {
      return from;
    } else {
      TensorOf<To, B> to(from.shape());
      B::convert(from.size(), from.data(), to.data());
      return to;
    }
  }

  Settings settings_;
  std::optional<Statistic<B>> mean_;
  std::optional<Statistic<B>> variance_;
};

}  // namespace halfstep
