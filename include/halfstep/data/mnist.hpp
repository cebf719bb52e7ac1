#pragma once

#include <halfstep/data/from_memory.hpp>
#include <halfstep/data/idx.hpp>

#include <utility>

namespace halfstep::inline HALFSTEP_ABI::data {

namespace detail {

/// The file of one of MNIST's parts ("train-images", "idx3"), under whichever of its names it is
/// there.
inline std::string mnist_file(const std::string& directory, const std::string& part,
                              const std::string& rank) {
  for (const char* between : {"-", "."})
    for (const char* compressed : {"", ".gz"}) {
      std::string path = directory + "/" + part + between + rank + "-ubyte" + compressed;
      if (file_exists(path)) return path;
    }
  fail<IoError>("data::mnist: neither ", part, "-", rank, "-ubyte nor ", part, ".", rank,
                "-ubyte, plain or .gz, is in ", directory,
                "; name the folder that has MNIST's four files");
}

inline ClassificationSet mnist_part(const std::string& directory, const std::string& part) {
  const Array images = read_idx(mnist_file(directory, part + "-images", "idx3"));
  const Array labels = read_idx(mnist_file(directory, part + "-labels", "idx1"));
  if (images.type != ElementType::u1 || images.shape.rank() != 3 || images.shape[1] != 28 ||
      images.shape[2] != 28)
    fail<IoError>(images.path, ": images of shape ", images.shape,
                  "; MNIST's are bytes, [n, 28, 28]");
  if (labels.type != ElementType::u1 || labels.shape.rank() != 1)
    fail<IoError>(labels.path, ": labels of shape ", labels.shape, "; MNIST's are bytes, [n]");
  if (images.shape[0] != labels.shape[0])
    fail<IoError>(images.path, " has ", images.shape[0], " images and ", labels.path, " has ",
                  labels.shape[0], " labels; they must be as many");
  if (images.shape[0] == 0)
    fail<DataError>(images.path, " has no images; a data set has at least one sample");
  for (Index i = 0; i < labels.shape[0]; ++i) {
    const auto label = std::to_integer<int>(labels.bytes.span()[static_cast<std::size_t>(i)]);
    if (label > 9)
      fail<DataError>(labels.path, ": label ", label, " at index ", i, "; MNIST's are 0 to 9");
  }
  const auto* pixels = reinterpret_cast<const std::uint8_t*>(images.bytes.span().data());
  const auto* digits = reinterpret_cast<const std::uint8_t*>(labels.bytes.span().data());
  return from_memory(Matrix<std::uint8_t>{pixels, images.shape[0], 784, 784},
                     Matrix<std::uint8_t>{digits, labels.shape[0], 1, 1},
                     {.scale = 1.0 / 255.0, .classes = 10});
}

}  // namespace detail

/// MNIST's training and test images from a folder with its four files, gzip or not, under either
/// spelling of their names. Features are [784] floats in [0, 1] (`reshaped({1, 28, 28})` for
/// images), labels 0 to 9.
///
/// @throws IoError    a file is missing, damaged, or not what MNIST's is
/// @throws DataError  a label is above 9, or there are no images
inline std::pair<ClassificationSet, ClassificationSet> mnist(const std::string& directory) {
  return {detail::mnist_part(directory, "train"), detail::mnist_part(directory, "t10k")};
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
