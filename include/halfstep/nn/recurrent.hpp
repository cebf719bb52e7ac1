#pragma once

#include <halfstep/autograd/recurrent.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/nn/dropout.hpp>
#include <halfstep/nn/edge.hpp>
#include <halfstep/nn/initialise.hpp>

#include <optional>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What an LSTM or a GRU may have otherwise; of one type for all Setups, as nn::Either needs it.
struct RecurrentLayerSettings {
  Index layers = 1;
  /// Every layer also goes through time backwards; the outputs stand beside each other.
  bool bidirectional = false;
  bool bias = true;
  /// The probability of zeroing an output of every layer but the last, in training.
  double dropout = 0.0;
};

/// Layers of a recurrent cell, each of one or two directions; see nn::LSTM and nn::GRU. Parameters
/// have PyTorch's names (`weight_ih_l0`, ..., `bias_hh_l1_reverse`) and start uniform in
/// +-1/sqrt(hidden), as PyTorch's do.
/// @numerics  products in Setup::Compute, gates and state in FP32
template <class Setup, class Cell>
class Recurrent : public Module<Setup> {
  using B = typename Setup::Backend;
  using T = typename Setup::Activation;

 public:
  using Settings = RecurrentLayerSettings;
  using Lengths = TensorOf<std::int32_t, B>;

  /// @throws ShapeError  an extent or the number of layers is below 1
  /// @throws UsageError  the probability of dropout is not in [0, 1)
  Recurrent(const ModuleBase<B>& parent, std::string_view name, Index in, Index hidden,
            const Settings& settings = {})
      : Module<Setup>(parent, name), bidirectional_(settings.bidirectional) {
    if (in < 1 || hidden < 1 || settings.layers < 1)
      fail<ShapeError>(Cell::layer_name, " '", this->path(), "': ", in, " inputs, ", hidden,
                       " hidden and ", settings.layers, " layers; all must be at least 1");
    const Index directions = bidirectional_ ? 2 : 1;
    for (Index layer = 0; layer < settings.layers; ++layer)
      for (Index direction = 0; direction < directions; ++direction) {
        const std::string end = "_l" + std::to_string(layer) + (direction == 0 ? "" : "_reverse");
        directions_.emplace_back(*this, end, layer == 0 ? in : directions * hidden, hidden,
                                 settings.bias);
      }
    if (settings.dropout != 0.0) dropout_.emplace(*this, "dropout", settings.dropout);
  }

  /// @param x        [batch, time, in]
  /// @param lengths  [batch], the steps of each padded sequence; empty: all of them
  /// @return  [batch, time, hidden], twice as wide for both directions; 0 past a sequence's end
  /// @throws ShapeError, DataError  x or the lengths do not fit
  template <class S>
  auto operator()(const Variable<S, B>& x, const Lengths& lengths = {}) const {
    const NameScope named(this->path());
    return through_edge<Setup>(x, [&](const Input<Setup>& input) {
      Input<Setup> y = input;
      const std::size_t step = bidirectional_ ? 2 : 1;
      for (std::size_t i = 0; i < directions_.size(); i += step) {
        if (i > 0 && dropout_) y = (*dropout_)(y);
        if (!bidirectional_) {
          y = directions_[i](y, false, lengths);
        } else {
          const Input<Setup> forward = directions_[i](y, false, lengths);
          y = concatenate({forward, directions_[i + 1](y, true, lengths)}, -1);
        }
      }
      return y;
    });
  }

 private:
  /// One direction of one layer.
  class Direction {
   public:
    Direction(const ModuleBase<B>& owner, const std::string& end, Index in, Index hidden, bool bias)
        : input_weight_(owner, "weight_ih" + end, Shape{Cell::Formula::gates * hidden, in},
                        start(hidden)),
          hidden_weight_(owner, "weight_hh" + end, Shape{Cell::Formula::gates * hidden, hidden},
                         start(hidden)) {
      if (!bias) return;
      const Shape sums{Cell::Formula::gates * hidden};
      input_bias_.emplace(owner, "bias_ih" + end, sums, start(hidden));
      hidden_bias_.emplace(owner, "bias_hh" + end, sums, start(hidden));
    }
    Input<Setup> operator()(const Input<Setup>& x, bool reverse, const Lengths& lengths) const {
      const auto bias = [](const auto& held) {
        return held ? as_activation<T>((*held)()) : Input<Setup>();
      };
      return Cell::template run<typename Setup::Compute>(
          x, as_activation<T>(input_weight_()), as_activation<T>(hidden_weight_()),
          bias(input_bias_), bias(hidden_bias_), RecurrentSettings<B>{reverse, lengths});
    }

   private:
    using ParameterType = nn::Parameter<typename Setup::Parameter, B>;
    static Initialiser start(Index hidden) {
      return uniform(1.0 / std::sqrt(static_cast<double>(hidden)));
    }
    ParameterType input_weight_;
    ParameterType hidden_weight_;
    std::optional<ParameterType> input_bias_;
    std::optional<ParameterType> hidden_bias_;
  };

  bool bidirectional_;
  std::vector<Direction> directions_;
  std::optional<Dropout<Setup>> dropout_;
};

}  // namespace halfstep
