#pragma once

#include <halfstep/data/cifar10.hpp>
#include <halfstep/data/mnist.hpp>

#include <string>
#include <utility>

namespace app {

/// The training and test images of a folder with CIFAR-10's files or with MNIST's: samples of
/// [height, width, channels].
/// @throws halfstep::IoError    a file is missing, damaged, or not what it should be
/// @throws halfstep::DataError  a label is above 9, or there are no images
inline std::pair<halfstep::data::ClassificationSet, halfstep::data::ClassificationSet> read_images(
    const std::string& folder) {
  using namespace halfstep;
  if (data::has_cifar10(folder)) return data::cifar10(folder, ImageLayout::channels_last);
  const auto [train, test] = data::mnist(folder);
  return {train.reshaped({28, 28, 1}), test.reshaped({28, 28, 1})};
}

}  // namespace app
