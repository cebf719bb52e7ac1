#pragma once

#include <app/ablations/ablation.hpp>

#include <halfstep/halfstep.hpp>

#include <vector>

namespace app {

inline constexpr auto squared_error = [](const auto& model, const auto& batch) {
  return halfstep::mse_loss(model(batch.x), batch.y);
};

/// All parameters' most exact values, one after the other: the masters, where there are any.
template <class Model>
std::vector<float> weights(const Model& model) {
  std::vector<float> all;
  for (std::size_t i = 0; i < model.store()->count(); ++i) {
    const std::vector<float> values = model.store()->read(i);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace app
