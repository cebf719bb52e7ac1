#pragma once

#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/data/loader_position.hpp>
#include <halfstep/nn/dropout.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/nn/statistic.hpp>
#include <halfstep/train/trainer.hpp>

#include <string>
#include <vector>

#include "support/on_device.hpp"

namespace halfstep::test {

template <class Policy>
using OnReference = Setup<Policy, backend::Reference>;

/// Two layers with dropout between them, and the running mean of what came in.
template <class S>
struct SmallNet : nn::Module<S> {
  nn::Linear<S> hidden{*this, "hidden", 2, 16};
  nn::Statistic<typename S::Backend> mean{*this, "mean", Shape{2}, 0.0f};
  nn::Dropout<S> dropout{*this, "dropout", 0.25};
  nn::Linear<S> out{*this, "out", 16, 1};

  auto operator()(const nn::Input<S>& x) const {
    if (this->training()) {
      TensorOf<float, typename S::Backend> now(Shape{2});
      const ReduceProblem columns{
          .reduced = x.shape()[0], .inner = 2, .scale = 1.0 / static_cast<double>(x.shape()[0])};
      S::Backend::template reduce<Reduction::sum>(columns, formulas::Identity{}, now.data(),
                                                  x.value().data());
      mean.observe(now, 0.25);
    }
    return out(dropout(tanh(hidden(x))));
  }
};

template <class S>
struct SmallBatch {
  nn::Input<S> x;
  Variable<float, typename S::Backend> y;
  data::LoaderPosition next;
};
/// The batch of a step, the same numbers in every precision; `poison` takes an input's place.
template <class S>
SmallBatch<S> small_batch(int step, float poison = 0.0f) {
  using T = typename S::Activation;
  using B = typename S::Backend;
  constexpr Index rows = 6;
  std::vector<T> x;
  std::vector<float> y;
  for (Index i = 0; i < rows; ++i) {
    const float a = static_cast<float>((i + step) % 5) - 2.0f;
    const float b = static_cast<float>((2 * i + step) % 3) - 1.0f;
    x.push_back(storage_cast<T>(a));
    x.push_back(storage_cast<T>(b));
    y.push_back((3.0f * a - 2.0f * b) / 64.0f);
  }
  if (poison != 0.0f) x[0] = storage_cast<T>(poison);
  return {on_device<B>(x).reshaped({rows, 2}), on_device<B>(y).reshaped({rows, 1}), {0, step + 1}};
}
inline constexpr auto small_loss = [](const auto& model, const auto& batch) {
  return mse_loss(cast<float>(model(batch.x)), batch.y);
};

/// All that a run goes on from, by name, as doubles: exact for every type that there is.
template <class Trainer>
std::vector<std::pair<std::string, std::vector<double>>> all_state(Trainer& trainer) {
  std::vector<std::pair<std::string, std::vector<double>>> all;
  trainer.visit_state([&](const std::string& name, const auto& tensor) {
    std::vector<double> values;
    for (const auto& value : on_host<typename Trainer::Backend>(tensor)) {
      if constexpr (requires { storage_cast<double>(value); })
        values.push_back(storage_cast<double>(value));
      else
        values.push_back(static_cast<double>(value));
    }
    all.emplace_back(name, std::move(values));
  });
  return all;
}

}  // namespace halfstep::test
