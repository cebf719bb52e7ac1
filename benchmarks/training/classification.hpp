#pragma once

#include "../measure/random_tensor.hpp"

#include <halfstep/halfstep.hpp>

namespace training {

/// What cases of the benchmark that classify have alike: batches of random numbers, and the loss.
struct Classification {
  halfstep::Shape batch_shape;  ///< of the samples
  halfstep::Index classes;
  halfstep::Index batch_size = batch_shape[0];

  template <class Setup>
  struct Batch {
    halfstep::nn::Input<Setup> x;
    halfstep::TensorOf<std::int32_t, typename Setup::Backend> y;
  };
  template <class Setup>
  Batch<Setup> random_batch(std::uint64_t seed) const {
    return {measure::random_tensor<typename Setup::Activation>(batch_shape, seed),
            measure::random_classes({batch_size}, classes, seed)};
  }

  /// loss(model, batch), as a trainer takes it.
  struct Loss {
    template <class M, class B>
    auto operator()(const M& model, const B& batch) const {
      return halfstep::cross_entropy(model(batch.x), batch.y);
    }
  };
};

}  // namespace training
