#pragma once

#include "random_tensor.hpp"
#include "straight_convolution.hpp"
#include "straight_matmul.hpp"

#include <memory>
#include <variant>
#include <vector>

namespace measure {

/// The three products of a linear layer in a training step; the first layer has no input gradient.
struct LinearProducts {
  halfstep::Index rows;
  halfstep::Index in;
  halfstep::Index out;
  bool input_gradient = true;
};

/// The three passes of a convolution of square images; the first layer has no input gradient.
struct ConvolutionProducts {
  halfstep::Index batch;
  halfstep::Index channels;
  halfstep::Index filters;
  halfstep::Index extent;
  halfstep::Index kernel;
  bool input_gradient = true;
};

/// The six products of causal attention in a training step: Q K^T and P V, and backward the
/// gradients of V, P, Q and K. A causal kernel needs half of each matrix of scores: they are
/// counted as whole ones of half as many heads. What a kernel computes again in backward is not
/// counted.
struct AttentionProducts {
  halfstep::Index heads;  ///< of all sequences
  halfstep::Index time;
  halfstep::Index width;  ///< of a head
};

using LayerProducts = std::variant<LinearProducts, ConvolutionProducts, AttentionProducts>;

#if defined(HALFSTEP_ONEDNN)
/// A step's matrix products and convolutions and nothing else, in a step's order and on as many
/// tensors, called straight on oneDNN.
template <class T>
class StepProducts {
 public:
  explicit StepProducts(const std::vector<LayerProducts>& layers) {
    for (const LayerProducts& layer : layers)
      std::visit([&](const auto& products) { add(products); }, layer);
  }

  void operator()() const {
    for (const auto& layer : layers_) layer->forward();
    for (auto at = layers_.rbegin(); at != layers_.rend(); ++at) (*at)->backward();
  }

 private:
  static constexpr bool bfloat = std::is_same_v<T, halfstep::bfloat16>;
  static constexpr dnnl_data_type_t type = bfloat ? dnnl_bf16 : dnnl_f32;

  struct Layer {
    virtual ~Layer() = default;
    virtual void forward() const = 0;
    virtual void backward() const = 0;
  };

  struct Linear final : Layer {
    /// @param x  what the layer before made, where it fits
    Linear(const LinearProducts& p, const halfstep::Tensor<T>& x)
        : x(x.size() == p.rows * p.in ? x : random_tensor<T>({p.rows, p.in})),
          weight(random_tensor<T>({p.out, p.in}, 2, 0.02f)),
          y(random_tensor<T>({p.rows, p.out}, 3)),
          weight_gradient(random_tensor<T>({p.out, p.in}, 4)),
          product({p.rows, p.out, p.in, false, true}, type),
          to_weight({p.out, p.in, p.rows, true, false}, type) {
      if (!p.input_gradient) return;
      x_gradient = random_tensor<T>({p.rows, p.in}, 5);
      to_input =
          std::make_unique<StraightMatmul>(StraightMatmul::Problem{p.rows, p.in, p.out}, type);
    }
    void forward() const override { product(x.data(), weight.data(), y.data()); }
    void backward() const override {
      if (to_input) (*to_input)(y.data(), weight.data(), x_gradient.data());
      to_weight(y.data(), x.data(), weight_gradient.data());
    }

    // What oneDNN writes to is not ours to read.
    mutable halfstep::Tensor<T> x, weight, y, weight_gradient, x_gradient;
    StraightMatmul product, to_weight;
    std::unique_ptr<StraightMatmul> to_input;
  };

  struct Convolution final : Layer {
    explicit Convolution(const ConvolutionProducts& p) {
      using Pass = StraightConvolution::Pass;
      const auto type = bfloat ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
      const StraightConvolution::Problem problem{p.batch, p.channels, p.filters, p.extent,
                                                 p.kernel};
      product = std::make_unique<StraightConvolution>(problem, Pass::forward, type);
      if (p.input_gradient)
        to_input = std::make_unique<StraightConvolution>(problem, Pass::data, type);
      to_weight = std::make_unique<StraightConvolution>(problem, Pass::weight, type);
    }
    void forward() const override { (*product)(); }
    void backward() const override {
      if (to_input) (*to_input)();
      (*to_weight)();
    }

    std::unique_ptr<StraightConvolution> product, to_input, to_weight;
  };

  struct Attention final : Layer {
    explicit Attention(const AttentionProducts& p)
        : q(random_tensor<T>({p.heads / 2, p.time, p.width}, 1)),
          k(random_tensor<T>({p.heads / 2, p.time, p.width}, 2)),
          scores(random_tensor<T>({p.heads / 2, p.time, p.time}, 3)),
          y(random_tensor<T>({p.heads / 2, p.time, p.width}, 4)),
          to_scores({p.time, p.time, p.width, false, true, p.heads / 2}, type),
          from_scores({p.time, p.width, p.time, false, false, p.heads / 2}, type),
          from_transposed({p.time, p.width, p.time, true, false, p.heads / 2}, type) {}
    void forward() const override {
      to_scores(q.data(), k.data(), scores.data());
      from_scores(scores.data(), k.data(), y.data());
    }
    void backward() const override {
      from_transposed(scores.data(), q.data(), y.data());  // of V
      to_scores(q.data(), k.data(), scores.data());        // of P
      from_scores(scores.data(), k.data(), y.data());      // of Q
      from_transposed(scores.data(), q.data(), y.data());  // of K
    }

    mutable halfstep::Tensor<T> q, k, scores, y;
    StraightMatmul to_scores, from_scores, from_transposed;
  };

  void add(const LinearProducts& p) {
    auto layer = std::make_unique<Linear>(p, y_);
    y_ = layer->y;
    layers_.push_back(std::move(layer));
  }
  void add(const ConvolutionProducts& p) { layers_.push_back(std::make_unique<Convolution>(p)); }
  void add(const AttentionProducts& p) { layers_.push_back(std::make_unique<Attention>(p)); }

  std::vector<std::unique_ptr<Layer>> layers_;
  halfstep::Tensor<T> y_;
};
#endif

}  // namespace measure
