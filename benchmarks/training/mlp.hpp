#pragma once

#include "../measure/random_tensor.hpp"
#include "../measure/step_products.hpp"

#include <halfstep/halfstep.hpp>

#include <vector>

namespace training {

/// A case of the benchmark: a model, its loss, a batch of random data, and the matrix products that
/// a step of it cannot do without. Another case offers the same members.
struct MlpCase {
  std::vector<halfstep::Index> widths;
  halfstep::Index batch_size;

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

  template <class Setup>
  struct Batch {
    halfstep::nn::Input<Setup> x;
    halfstep::TensorOf<std::int32_t, typename Setup::Backend> y;
  };
  template <class Setup>
  Batch<Setup> random_batch(std::uint64_t seed) const {
    using T = typename Setup::Activation;
    halfstep::RandomStream random(seed, 1);
    halfstep::TensorOf<std::int32_t, typename Setup::Backend> labels({batch_size});
    for (std::int32_t& label : labels.span())
      label = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(widths.back())));
    return {measure::random_tensor<T>({batch_size, widths.front()}, seed), labels};
  }

  /// loss(model, batch), as a trainer takes it.
  struct Loss {
    template <class M, class B>
    auto operator()(const M& model, const B& batch) const {
      return halfstep::cross_entropy(model(batch.x), batch.y);
    }
  };

  std::vector<measure::LinearProducts> products() const {
    std::vector<measure::LinearProducts> layers;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
      layers.push_back({batch_size, widths[i], widths[i + 1], i > 0});
    return layers;
  }
};

/// Calls f(case) with the case of that name.
/// @throws halfstep::UsageError  there is no such model
template <class F>
void with_case(const std::string& model, const F& f) {
  if (model == "mlp") return f(MlpCase{{784, 512, 512, 10}, 128});
  if (model == "mlp_wide") return f(MlpCase{{784, 2048, 2048, 2048, 10}, 512});
  halfstep::fail<halfstep::UsageError>("--model ", model, ": choose mlp or mlp_wide");
}

}  // namespace training
