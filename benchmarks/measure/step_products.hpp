#pragma once

#include "random_tensor.hpp"
#include "straight_matmul.hpp"

#include <memory>
#include <vector>

namespace measure {

/// The three products of a linear layer in a training step; the first layer has no input gradient.
struct LinearProducts {
  halfstep::Index rows;
  halfstep::Index in;
  halfstep::Index out;
  bool input_gradient;
};

#if defined(HALFSTEP_ONEDNN)
/// A step's matrix products and nothing else, in a step's order and on as many tensors, called
/// straight on oneDNN.
template <class T>
class StepProducts {
 public:
  StepProducts(const std::vector<LinearProducts>& layers, dnnl_data_type_t type) {
    halfstep::Tensor<T> x;
    for (const LinearProducts& p : layers) {
      auto layer = std::make_unique<Layer>(p, type);
      layer->x = x.empty() ? random_tensor<T>({p.rows, p.in}) : x;
      layer->weight = random_tensor<T>({p.out, p.in}, 2, 0.02f);
      layer->y = random_tensor<T>({p.rows, p.out}, 3);
      layer->weight_gradient = random_tensor<T>({p.out, p.in}, 4);
      if (p.input_gradient) layer->x_gradient = random_tensor<T>({p.rows, p.in}, 5);
      x = layer->y;
      layers_.push_back(std::move(layer));
    }
  }

  void operator()() const {
    for (const auto& layer : layers_)
      layer->forward(layer->x.data(), layer->weight.data(), layer->y.data());
    for (auto at = layers_.rbegin(); at != layers_.rend(); ++at) {
      Layer& layer = **at;
      if (layer.backward_to_input)
        (*layer.backward_to_input)(layer.y.data(), layer.weight.data(), layer.x_gradient.data());
      layer.backward_to_weight(layer.y.data(), layer.x.data(), layer.weight_gradient.data());
    }
  }

 private:
  struct Layer {
    Layer(const LinearProducts& p, dnnl_data_type_t type)
        : forward({p.rows, p.out, p.in, false, true}, type),
          backward_to_weight({p.out, p.in, p.rows, true, false}, type) {
      if (p.input_gradient)
        backward_to_input = std::make_unique<StraightMatmul>(
            StraightMatmul::Problem{p.rows, p.in, p.out, false, false}, type);
    }
    StraightMatmul forward;
    StraightMatmul backward_to_weight;
    std::unique_ptr<StraightMatmul> backward_to_input;
    halfstep::Tensor<T> x, weight, y, x_gradient, weight_gradient;
  };

  std::vector<std::unique_ptr<Layer>> layers_;
};
#endif

}  // namespace measure
