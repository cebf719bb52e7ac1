#pragma once

#include "random_tensor.hpp"

#include <halfstep/backend/setup.hpp>
#include <halfstep/nn/module.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/clip_norm.hpp>
#include <halfstep/optim/default_optimizer.hpp>
#include <halfstep/scale/loss_scaler.hpp>

namespace measure {

/// A model of one parameter with so many elements.
template <class Setup>
struct OneArena : halfstep::nn::Module<Setup> {
  explicit OneArena(halfstep::Index parameters)
      : weight(*this, "weight", halfstep::Shape{parameters}, halfstep::Initialiser(fill)) {}

  typename OneArena::ParameterType weight;

  static void fill(std::span<float> values, const halfstep::Shape&, std::uint64_t seed) {
    halfstep::RandomStream random(seed);
    for (float& value : values) value = 0.02f * (random.uniform() - 0.5f);
  }
};

/// As backward leaves it: nothing checked yet, at a loss scale. (A kernel cannot be private.)
struct BeginBackward {
  halfstep::GradientState* state;
  HALFSTEP_HOST_DEVICE void operator()() const {
    *state = halfstep::GradientState();
    state->scale = 65536.0;
  }
};

/// Such a model, and gradients in its arena as backward leaves them: times a loss scale.
template <class Setup>
class AfterBackward {
 public:
  using Backend = typename Setup::Backend;

  explicit AfterBackward(halfstep::Index parameters)
      : model_(parameters), state_(halfstep::Shape{1}) {
    model_.store()->lay_out();
    using T = typename Setup::Parameter;
    model_.store()->for_each_stored(halfstep::StorageList<T>{}, [&](auto& segment) {
      segment.allocate_gradients();
      segment.gradients() = random_tensor_on<T, Backend>({segment.size()}, 3);
      arena_ = segment.gradients().data();
    });
  }
  template <class State>
  halfstep::Gradients<State, Setup> gradients() {
    Backend::once(BeginBackward{state_.data()});
    return {model_.store(), state_};
  }
  OneArena<Setup>& model() { return model_; }
  /// The gradients, as bytes to read.
  const void* arena() const { return arena_; }

 private:
  OneArena<Setup> model_;
  halfstep::TensorOf<halfstep::GradientState, Backend> state_;
  const void* arena_ = nullptr;
};

template <class Setup>
auto adamw(OneArena<Setup>& model) {
  return halfstep::default_optimizer(model.parameters(), halfstep::optim::AdamW{});
}

}  // namespace measure
