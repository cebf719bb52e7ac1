#pragma once

#include <halfstep/core/file.hpp>
#include <halfstep/data/from_memory.hpp>
#include <halfstep/ops/image.hpp>

#include <array>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::data {

namespace detail {

inline constexpr std::array cifar10_training_files{"data_batch_1.bin", "data_batch_2.bin",
                                                   "data_batch_3.bin", "data_batch_4.bin",
                                                   "data_batch_5.bin"};
inline constexpr const char* cifar10_test_file = "test_batch.bin";

/// Where CIFAR-10's files are: the folder, or the one that its archive unpacks to inside of it;
/// empty where there are none.
inline std::string cifar10_folder(const std::string& directory) {
  for (const std::string& folder : {directory, directory + "/cifar-10-batches-bin"}) {
    for (const char* name : cifar10_training_files)
      if (file_exists(folder + "/" + name)) return folder;
    if (file_exists(folder + "/" + cifar10_test_file)) return folder;
  }
  return {};
}

/// The images and labels of some files, one after the other.
struct Cifar10Images {
  static constexpr Index channels = 3, extent = 32;
  static constexpr std::size_t positions = 32 * 32, pixels = channels * positions;
  static constexpr std::size_t record = 1 + pixels;  // a label and an image

  ImageLayout layout;
  std::vector<std::uint8_t> images;
  std::vector<std::uint8_t> labels;

  /// @throws IoError    the file cannot be read, or is not records
  /// @throws DataError  a label is above 9
  void add(const std::string& path) {
    const FileBytes file = read_file(path);
    if (file.size() == 0 || file.size() % record != 0)
      fail<IoError>(path, ": ", file.size(),
                    " bytes are not whole images; CIFAR-10's binary files ", "have ", record,
                    " bytes an image");
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(file.span().data());
    const std::size_t count = file.size() / record;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t* const image = bytes + i * record + 1;
      if (image[-1] > 9)
        fail<DataError>(path, ": label ", +image[-1], " at index ", i, "; CIFAR-10's are 0 to 9");
      labels.push_back(image[-1]);
      if (layout == ImageLayout::channels_first) {
        images.insert(images.end(), image, image + pixels);
        continue;
      }
      for (std::size_t at = 0; at < positions; ++at)
        for (std::size_t channel = 0; channel < channels; ++channel)
          images.push_back(image[channel * positions + at]);
    }
  }
  ClassificationSet set() const {
    const auto count = static_cast<Index>(labels.size());
    const Shape shape = layout == ImageLayout::channels_first
                            ? Shape{count, channels, extent, extent}
                            : Shape{count, extent, extent, channels};
    return from_memory(images, shape, labels, {.scale = 1.0 / 255.0, .classes = 10});
  }
};

}  // namespace detail

/// Whether a folder has a file of CIFAR-10's, itself or in cifar-10-batches-bin.
inline bool has_cifar10(const std::string& directory) {
  return !detail::cifar10_folder(directory).empty();
}

/// CIFAR-10's training and test images from a folder with the six files of its binary version
/// (data_batch_1.bin to data_batch_5.bin, test_batch.bin), or with the folder cifar-10-batches-bin
/// that has them. Features are [3, 32, 32] floats in [0, 1] (red, green, blue), or [32, 32, 3] with
/// `ImageLayout::channels_last`; labels 0 to 9. (Krizhevsky, "Learning Multiple Layers of Features
/// from Tiny Images", 2009)
///
/// @throws IoError    a file is missing or cut
/// @throws DataError  a label is above 9
inline std::pair<ClassificationSet, ClassificationSet> cifar10(
    const std::string& directory, ImageLayout layout = ImageLayout::channels_first) {
  const std::string folder = detail::cifar10_folder(directory);
  if (folder.empty())
    fail<IoError>(
        "data::cifar10: neither ", directory, " nor ", directory,
        "/cifar-10-batches-bin has data_batch_1.bin; name the folder that has CIFAR-10's ",
        "six binary files");
  detail::Cifar10Images train{layout, {}, {}}, test{layout, {}, {}};
  for (const char* name : detail::cifar10_training_files) train.add(folder + "/" + name);
  test.add(folder + "/" + detail::cifar10_test_file);
  return {train.set(), test.set()};
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
