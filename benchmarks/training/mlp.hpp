#pragma once

#include "../measure/step_products.hpp"
#include "classification.hpp"
#include "step_options.hpp"

#include <vector>

namespace training {

/// A case of the benchmark: a model, its loss, a batch of random data, and the matrix products that
/// a step of it cannot do without. Another case offers the same members.
struct MlpCase : Classification {
  std::vector<halfstep::Index> widths;

  explicit MlpCase(const StepOptions& options)
      : MlpCase(options.model == "mlp"
                    ? MlpCase({784, 512, 512, 10}, options.batch_or(128))
                    : MlpCase({784, 2048, 2048, 2048, 10}, options.batch_or(512))) {}

  template <class Setup>
  class Model : public halfstep::nn::Module<Setup> {
   public:
    explicit Model(const MlpCase& c) {
      for (std::size_t i = 0; i + 1 < c.widths.size(); ++i)
        layers_.emplace(c.widths[i], c.widths[i + 1]);
    }
    halfstep::nn::Input<Setup> operator()(const halfstep::nn::Input<Setup>& x) const {
      halfstep::nn::Input<Setup> y = x;
      for (std::size_t i = 0; i + 1 < layers_.size(); ++i) y = halfstep::relu(layers_[i](y));
      return layers_[layers_.size() - 1](y);
    }

   private:
    halfstep::nn::ModuleList<halfstep::nn::Linear<Setup>> layers_{*this, "layers"};
  };

  /// Multiplications and additions of a step that the model cannot do without.
  double model_flop(halfstep::Index /*parameters*/) const { return measure::flop(products()); }
  std::vector<measure::LayerProducts> products() const {
    std::vector<measure::LayerProducts> layers;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
      layers.push_back(measure::LinearProducts{batch_size, widths[i], widths[i + 1], i > 0});
    return layers;
  }

 private:
  MlpCase(std::vector<halfstep::Index> of, halfstep::Index batch)
      : Classification{{batch, of.front()}, of.back()}, widths(std::move(of)) {}
};

}  // namespace training
