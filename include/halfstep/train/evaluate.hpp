#pragma once

#include <halfstep/autograd/recording.hpp>
#include <halfstep/autograd/variable.hpp>
#include <halfstep/data/loader.hpp>

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI {

namespace train {

/// A variable's values on the host, in FP32.
template <class S, class B>
std::vector<float> to_host(const Variable<S, B>& variable) {
  std::vector<float> values(static_cast<std::size_t>(variable.size()));
  TensorOf<float, B> wide(variable.shape());
  B::convert(variable.size(), variable.value().data(), wide.data());
  B::download(std::as_const(wide).data(), std::span<float>(values));
  return values;
}

}  // namespace train

/// The mean over a data set of `loss(model, batch)`, in evaluation mode; batches count by their
/// size.
template <class Model, class Dataset, class Loss>
double evaluate(const Model& model, const Dataset& dataset, const Loss& loss,
                Index batch_size = 256) {
  const inference scope;
  double sum = 0.0;
  Index count = 0;
  using Loader = data::Loader<typename Model::Setup, data::AnswersOf<Dataset>>;
  for (const auto& batch : Loader(dataset, {.batch_size = batch_size, .shuffle = false})) {
    const auto value = loss(model, batch);
    sum += static_cast<double>(train::to_host(value).at(0)) * static_cast<double>(batch.size());
    count += batch.size();
  }
  return sum / static_cast<double>(count);
}

/// The share of a data set's samples whose largest output is at their label, in evaluation mode.
template <class Model, class Dataset>
double accuracy(const Model& model, const Dataset& dataset, Index batch_size = 256) {
  const inference scope;
  Index right = 0;
  Index count = 0;
  for (const auto& batch :
       data::Loader<typename Model::Setup>(dataset, {.batch_size = batch_size, .shuffle = false})) {
    const auto outputs = model(batch.x);
    const std::vector<float> values = train::to_host(outputs);
    std::vector<std::int32_t> labels(static_cast<std::size_t>(batch.size()));
    Model::Backend::download(batch.y.data(), std::span<std::int32_t>(labels));
    const auto width = static_cast<std::ptrdiff_t>(outputs.size() / batch.size());
    for (std::size_t row = 0; row < labels.size(); ++row) {
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(row) * width;
      right += std::max_element(first, first + width) - first == labels[row];
    }
    count += batch.size();
  }
  return static_cast<double>(right) / static_cast<double>(count);
}

}  // namespace halfstep
