#pragma once

#include <halfstep/data/mnist.hpp>
#include <halfstep/nn/module.hpp>

#include <cmath>

#include "support/on_device.hpp"
#include "support/parity_file.hpp"

// What the models of training.json start from, and the images that they are trained on.
namespace halfstep::test {

/// Weight j of parameter number p, as the file's description says.
template <class B>
void start(ParameterStore<B>& store, double bound) {
  for (std::size_t p = 0; p < store.count(); ++p) {
    const Shape& shape = store.info(p).shape;
    // A vector is a bias, or the weight of a normalization.
    const bool is_gain = shape.rank() == 1 && store.info(p).name.ends_with("weight");
    std::vector<float> values(static_cast<std::size_t>(shape.size()), is_gain ? 1.0f : 0.0f);
    if (shape.rank() > 1)
      for (std::size_t j = 0; j < values.size(); ++j)
        values[j] = static_cast<float>(
            bound *
            (2.0 * static_cast<double>((7919 * j + 104729 * p + 13) % 20011) / 20011.0 - 1.0));
    store.write(p, values);
  }
}

struct Images {
  std::vector<float> pixels;
  std::vector<std::int32_t> labels;
};
inline const Images& images() {
  static const Images all = [] {
    const auto train = data::mnist((example_data() / "mnist").string()).first;
    Images images;
    for (Index i = 0; i < 100 * 64; ++i) {
      const auto sample = train.get(i);
      images.pixels.insert(images.pixels.end(), sample.features.begin(), sample.features.end());
      images.labels.push_back(sample.label);
    }
    return images;
  }();
  return all;
}

template <class S>
struct Batch {
  nn::Input<S> x;
  TensorOf<std::int32_t, typename S::Backend> y;
};
template <class S>
Batch<S> batch_of(Index number, Index rows) {
  using T = typename S::Activation;
  Tensor<T> x({rows, 784});
  Tensor<std::int32_t> y(Shape{rows});
  for (Index i = 0; i < x.size(); ++i)
    x.data()[i] =
        storage_cast<T>(images().pixels[static_cast<std::size_t>(number * rows * 784 + i)]);
  for (Index i = 0; i < rows; ++i)
    y.data()[i] = images().labels[static_cast<std::size_t>(number * rows + i)];
  return {on_device<typename S::Backend>(x), on_device<typename S::Backend>(y)};
}

/// The largest distance of two loss curves.
inline double distance(const std::vector<double>& a, const nlohmann::json& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::fabs(a[i] - b.at(i).get<double>()));
  return largest;
}

}  // namespace halfstep::test
