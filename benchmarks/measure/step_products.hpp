#pragma once

#include "random_tensor.hpp"
#include "straight_convolution.hpp"
#include "straight_matmul.hpp"

#include <halfstep/ops/convolution.hpp>

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

  /// Multiplications and additions of all passes.
  double flop() const {
    return (input_gradient ? 6.0 : 4.0) * static_cast<double>(rows) * static_cast<double>(in * out);
  }
};

/// The three passes of a convolution of square images; the first layer has no input gradient.
struct ConvolutionProducts {
  halfstep::Index batch;
  halfstep::Index channels;
  halfstep::Index filters;
  halfstep::Index extent;
  halfstep::Index kernel;
  bool input_gradient = true;

  double flop() const {
    const halfstep::Index side = extent - kernel + 1;
    return LinearProducts{batch * side * side, channels * kernel * kernel, filters, input_gradient}
        .flop();
  }
};

/// The six products of causal attention in a training step: Q K^T and P V, and backward the
/// gradients of V, P, Q and K. A causal kernel needs half of each matrix of scores: they are
/// counted as whole ones of half as many heads. What a kernel computes again in backward is not
/// counted.
struct AttentionProducts {
  halfstep::Index heads;  ///< of all sequences
  halfstep::Index time;
  halfstep::Index width;  ///< of a head

  double flop() const {
    return 6.0 * static_cast<double>(heads * time) * static_cast<double>(time * width);
  }
};

using LayerProducts = std::variant<LinearProducts, ConvolutionProducts, AttentionProducts>;

/// Multiplications and additions of a training step's products.
inline double flop(const std::vector<LayerProducts>& layers) {
  double sum = 0.0;
  for (const LayerProducts& layer : layers)
    sum += std::visit([](const auto& products) { return products.flop(); }, layer);
  return sum;
}

enum class ConvolutionPass { forward, data, weight };

#if defined(HALFSTEP_ONEDNN) && !defined(__CUDACC__)
/// oneDNN, called straight: what StepProducts multiplies with on a CPU.
template <class T>
struct OneDnnProducts {
  using Storage = T;
  static constexpr bool bfloat = std::is_same_v<T, halfstep::bfloat16>;

  using Array = halfstep::Tensor<T>;
  static Array random(const halfstep::Shape& shape, std::uint64_t seed, float scale = 1.0f) {
    return random_tensor<T>(shape, seed, scale);
  }

  struct Matmul : StraightMatmul {
    explicit Matmul(const halfstep::GemmProblem& p)
        : StraightMatmul({p.m, p.n, p.k, p.transpose_a, p.transpose_b, p.batch},
                         bfloat ? dnnl_bf16 : dnnl_f32) {}
  };
  struct Convolution : StraightConvolution {
    Convolution(const ConvolutionProducts& p, ConvolutionPass pass)
        : StraightConvolution(
              {p.batch, p.channels, p.filters, p.extent, p.kernel},
              pass == ConvolutionPass::forward ? Pass::forward
              : pass == ConvolutionPass::data  ? Pass::data
                                               : Pass::weight,
              bfloat ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32) {}
  };
};
#endif

/// A backend's own products, called straight: on a GPU its library is the ceiling of all else.
template <class Setup>
struct BackendProducts {
  using Backend = typename Setup::Backend;
  using Compute = typename Setup::Compute;
  using Storage = typename Setup::Activation;

  using Array = halfstep::TensorOf<Storage, Backend>;
  static Array random(const halfstep::Shape& shape, std::uint64_t seed, float scale = 1.0f) {
    return random_tensor_on<Storage, Backend>(shape, seed, scale);
  }

  class Matmul {
   public:
    explicit Matmul(const halfstep::GemmProblem& problem) : problem_(problem) {}
    void operator()(const Storage* a, const Storage* b, Storage* c) const {
      Backend::template gemm<Compute>(problem_, a, b, c, static_cast<const Storage*>(nullptr));
    }

   private:
    halfstep::GemmProblem problem_;
  };

  class Convolution {
   public:
    Convolution(const ConvolutionProducts& p, ConvolutionPass pass) : pass_(pass) {
      problem_.batch = p.batch;
      problem_.channels = p.channels;
      problem_.filters = p.filters;
      problem_.input = p.extent;
      problem_.output = p.extent - p.kernel + 1;
      problem_.kernel = p.kernel;
      problem_.layout = halfstep::ImageLayout::channels_last;
      x_ = random({problem_.x_size()}, 1);
      weight_ = random({problem_.weight_size()}, 2, 0.02f);
      y_ = random({problem_.y_size()}, 3);
    }
    void operator()() const {
      const auto none = static_cast<const Storage*>(nullptr);
      const Storage* const x = x_.data();
      const Storage* const weight = weight_.data();
      const Storage* const y = y_.data();
      if (pass_ == ConvolutionPass::forward)
        Backend::template convolve<Compute>(problem_, x, weight, none, y_.data(), false);
      else if (pass_ == ConvolutionPass::data)
        Backend::template convolve_transposed<Compute>(problem_, y, weight, none, x_.data(), false);
      else
        Backend::template convolve_weight<Compute>(problem_, x, y, weight_.data(), false);
    }

   private:
    ConvolutionPass pass_;
    halfstep::ConvolutionProblem problem_;
    mutable Array x_, weight_, y_;
  };
};

/// A step's matrix products and convolutions and nothing else, in a step's order and on as many
/// tensors.
///
/// @tparam Products  OneDnnProducts or BackendProducts
template <class Products>
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
  using Array = typename Products::Array;
  using Matmul = typename Products::Matmul;
  using Convolved = typename Products::Convolution;

  struct Layer {
    virtual ~Layer() = default;
    virtual void forward() const = 0;
    virtual void backward() const = 0;
  };

  struct Linear final : Layer {
    /// @param x  what the layer before made, where it fits
    Linear(const LinearProducts& p, const Array& x)
        : x(x.size() == p.rows * p.in ? x : Products::random({p.rows, p.in}, 1)),
          weight(Products::random({p.out, p.in}, 2, 0.02f)),
          y(Products::random({p.rows, p.out}, 3)),
          weight_gradient(Products::random({p.out, p.in}, 4)),
          product({.m = p.rows, .n = p.out, .k = p.in, .transpose_b = true}),
          to_weight({.m = p.out, .n = p.in, .k = p.rows, .transpose_a = true}) {
      if (!p.input_gradient) return;
      x_gradient = Products::random({p.rows, p.in}, 5);
      to_input =
          std::make_unique<Matmul>(halfstep::GemmProblem{.m = p.rows, .n = p.in, .k = p.out});
    }
    void forward() const override { product(x.data(), weight.data(), y.data()); }
    void backward() const override {
      if (to_input) (*to_input)(y.data(), weight.data(), x_gradient.data());
      to_weight(y.data(), x.data(), weight_gradient.data());
    }

    // What a library writes to is not ours to read.
    mutable Array x, weight, y, weight_gradient, x_gradient;
    Matmul product, to_weight;
    std::unique_ptr<Matmul> to_input;
  };

  struct Convolution final : Layer {
    explicit Convolution(const ConvolutionProducts& p)
        : product(p, ConvolutionPass::forward), to_weight(p, ConvolutionPass::weight) {
      if (p.input_gradient) to_input = std::make_unique<Convolved>(p, ConvolutionPass::data);
    }
    void forward() const override { product(); }
    void backward() const override {
      if (to_input) (*to_input)();
      to_weight();
    }

    Convolved product, to_weight;
    std::unique_ptr<Convolved> to_input;
  };

  struct Attention final : Layer {
    explicit Attention(const AttentionProducts& p)
        : q(Products::random({p.heads / 2, p.time, p.width}, 1)),
          k(Products::random({p.heads / 2, p.time, p.width}, 2)),
          scores(Products::random({p.heads / 2, p.time, p.time}, 3)),
          y(Products::random({p.heads / 2, p.time, p.width}, 4)),
          to_scores(
              {.batch = p.heads / 2, .m = p.time, .n = p.time, .k = p.width, .transpose_b = true}),
          from_scores({.batch = p.heads / 2, .m = p.time, .n = p.width, .k = p.time}),
          from_transposed(
              {.batch = p.heads / 2, .m = p.time, .n = p.width, .k = p.time, .transpose_a = true}) {
    }
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

    mutable Array q, k, scores, y;
    Matmul to_scores, from_scores, from_transposed;
  };

  void add(const LinearProducts& p) {
    auto layer = std::make_unique<Linear>(p, y_);
    y_ = layer->y;
    layers_.push_back(std::move(layer));
  }
  void add(const ConvolutionProducts& p) { layers_.push_back(std::make_unique<Convolution>(p)); }
  void add(const AttentionProducts& p) { layers_.push_back(std::make_unique<Attention>(p)); }

  std::vector<std::unique_ptr<Layer>> layers_;
  Array y_;
};

}  // namespace measure
