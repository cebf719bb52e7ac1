#pragma once

#include "../measure/random_tensor.hpp"

#include <halfstep/halfstep.hpp>

namespace training {

/// What cases of the benchmark that classify have alike: batches of random numbers, and the loss.
struct Classification {
  halfstep::Shape batch_shape;  ///< of the samples
  halfstep::Index classes;
  halfstep::Index batch_size = batch_shape[0];

  /// A sequence has some; images have none.
  static constexpr halfstep::Index tokens() { return 0; }

  template <class Setup>
  struct Batch {
    halfstep::nn::Input<Setup> x;
    halfstep::TensorOf<std::int32_t, typename Setup::Backend> y;
  };
  template <class Setup>
  Batch<Setup> random_batch(std::uint64_t seed) const {
    using Backend = typename Setup::Backend;
    return {measure::random_tensor_on<typename Setup::Activation, Backend>(batch_shape, seed),
            measure::random_classes_on<Backend>({batch_size}, classes, seed)};
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
