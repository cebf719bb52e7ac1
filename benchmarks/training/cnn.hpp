#pragma once

#include "../measure/step_products.hpp"
#include "classification.hpp"
#include "step_options.hpp"

#include <app/mnist/classifiers.hpp>

#include <vector>

namespace training {

/// The CNN of `mnist`, on batches of 64 unless the options say otherwise.
struct CnnCase : Classification {
  explicit CnnCase(const StepOptions& options)
      : Classification{{options.batch_or(64), 28, 28, 1}, 10} {}

  template <class Setup>
  struct Model : app::Cnn<Setup> {
    explicit Model(const CnnCase&) : app::Cnn<Setup>(halfstep::Shape{28, 28, 1}) {}
  };

  double model_flop(halfstep::Index) const { return measure::flop(products()); }
  std::vector<measure::LayerProducts> products() const {
    return {measure::ConvolutionProducts{batch_size, 1, 32, 28, 3, false},
            measure::ConvolutionProducts{batch_size, 32, 64, 26, 3},
            measure::LinearProducts{batch_size, 9216, 128},
            measure::LinearProducts{batch_size, 128, 10}};
  }
};

}  // namespace training
