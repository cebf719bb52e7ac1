#pragma once

#include <halfstep/autograd/recording.hpp>
#include <halfstep/io/model_file.hpp>
#include <halfstep/nn/module.hpp>

#include <memory>

namespace halfstep::inline HALFSTEP_ABI {

/// A model as a function from features to outputs: nothing is recorded, layers act as in
/// evaluation, and calling it is const: many threads may, each without a heap allocation once its
/// first call has warmed it up.
///
///   Predictor predict(model);                                      // shares the model's weights
///   auto predict = Predictor<Classifier>::load("classifier.safetensors");  // 16-bit weights only
template <class Model>
class Predictor {
 public:
  using Setup = typename Model::Setup;
  using Backend = typename Setup::Backend;

  /// Predicts with the weights of a model that outlives this object, as they are at each call.
  explicit Predictor(const Model& model) : model_(&model, [](const Model*) {}) {
    model.store()->lay_out();
  }

  /// A model from a file. What training alone needs (masters, gradients) is not kept.
  /// @param arguments  what the model's constructor takes
  /// @throws IoError, ShapeError  the file is not of such a model; see io::load
  template <class... Arguments>
  static Predictor load(const std::string& path, Arguments&&... arguments) {
    auto model = std::make_shared<Model>(std::forward<Arguments>(arguments)...);
    io::load(*model, path);
    model->store()->for_each_segment(
        [](auto& segment) { segment.keep(autograd::Beside::nothing); });
    return Predictor(std::move(model));
  }

  /// The model's output for a batch, as a variable without history.
  auto operator()(const nn::Input<Setup>& batch) const {
    const inference scope;
    return (*model_)(batch);
  }

  /// The outputs for one sample's features.
  std::vector<float> operator()(std::span<const float> features) const {
    const auto result = (*this)(input(features, sample_shape(features)));
    std::vector<float> outputs(static_cast<std::size_t>(result.size()));
    read(result, outputs);
    return outputs;
  }
  /// The outputs for features of a batch's shape [samples, ...], written to `outputs`.
  /// @throws ShapeError  the features do not fill the shape, or the outputs' number differs
  void operator()(std::span<const float> features, const Shape& shape,
                  std::span<float> outputs) const {
    if (static_cast<Index>(features.size()) != shape.size())
      fail<ShapeError>("Predictor: ", features.size(), " features do not fill ", shape);
    read((*this)(input(features, shape)), outputs);
  }
  /// The same for one sample.
  void operator()(std::span<const float> features, std::span<float> outputs) const {
    (*this)(features, sample_shape(features), outputs);
  }

 private:
  explicit Predictor(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  static Shape sample_shape(std::span<const float> features) {
    return {1, static_cast<Index>(features.size())};
  }
  static nn::Input<Setup> input(std::span<const float> features, const Shape& shape) {
    using T = typename Setup::Activation;
    TensorOf<float, Backend> staged(shape);
    Backend::upload(features, staged.data());
    if constexpr (std::same_as<T, float>) {
      return staged;
    } else {
      TensorOf<T, Backend> cast(shape);
      Backend::convert(shape.size(), std::as_const(staged).data(), cast.data());
      return cast;
    }
  }
  template <class S>
  static void read(const Variable<S, Backend>& result, std::span<float> outputs) {
    if (static_cast<Index>(outputs.size()) != result.size())
      fail<ShapeError>("Predictor: the model returns ", result.shape(), " and there is room for ",
                       outputs.size(), " outputs");
    if constexpr (std::same_as<S, float>) {
      Backend::download(result.value().data(), outputs);
    } else {
      TensorOf<float, Backend> wide(result.shape());
      Backend::convert(result.size(), result.value().data(), wide.data());
      Backend::download(std::as_const(wide).data(), outputs);
    }
  }

  std::shared_ptr<const Model> model_;
};

}  // namespace halfstep
