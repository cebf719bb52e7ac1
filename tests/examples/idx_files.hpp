#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace halfstep::test {

/// Writes an IDX file of bytes: 0 0 8 rank, big-endian extents, values.
inline void write_idx(const std::string& path, const std::vector<std::uint32_t>& extents,
                      const std::vector<std::uint8_t>& values) {
  std::ofstream file(path, std::ios::binary);
  file << '\0' << '\0' << '\x08' << static_cast<char>(extents.size());
  for (const std::uint32_t extent : extents)
    for (int shift = 24; shift >= 0; shift -= 8) file << static_cast<char>(extent >> shift & 0xFF);
  for (const std::uint8_t value : values) file << static_cast<char>(value);
}

/// Writes the same images and labels as MNIST's training and test files.
inline std::string write_both_parts(const std::filesystem::path& folder,
                                    const std::vector<std::uint8_t>& images,
                                    const std::vector<std::uint8_t>& labels) {
  const auto count = static_cast<std::uint32_t>(labels.size());
  for (const char* part : {"train", "t10k"}) {
    const std::string start = (folder / part).string();
    write_idx(start + "-images-idx3-ubyte", {count, 28, 28}, images);
    write_idx(start + "-labels-idx1-ubyte", {count}, labels);
  }
  return folder.string();
}

/// A small data set in MNIST's format: the image of digit d has a bright bar at 70 d.
inline std::string write_mnist(const std::filesystem::path& folder, std::uint32_t count) {
  std::filesystem::create_directory(folder);
  std::vector<std::uint8_t> labels(count);
  std::vector<std::uint8_t> images(count * 784u, 0);
  for (std::uint32_t i = 0; i < count; ++i) {
    labels[i] = static_cast<std::uint8_t>(i * 7 % 10);
    for (std::uint32_t pixel = 0; pixel < 70; ++pixel)
      images[i * 784u + labels[i] * 70u + pixel] = static_cast<std::uint8_t>(255 - i % 50);
  }
  return write_both_parts(folder, images, labels);
}

/// A small data set in MNIST's format of four shapes, wherever they stand: a square, an upright
/// bar, a level bar and a frame.
inline std::string write_shapes(const std::filesystem::path& folder, std::uint32_t count) {
  std::filesystem::create_directory(folder);
  std::vector<std::uint8_t> labels(count);
  std::vector<std::uint8_t> images(count * 784u, 0);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t label = labels[i] = static_cast<std::uint8_t>(i % 4);
    const std::uint32_t width = label == 1 ? 6 : 20, height = label == 2 ? 6 : 20;
    const std::uint32_t left = i * 5 % 8, top = i * 3 % 8;
    for (std::uint32_t y = 0; y < height; ++y)
      for (std::uint32_t x = 0; x < width; ++x) {
        const bool inside = x >= 4 && x + 4 < width && y >= 4 && y + 4 < height;
        if (label == 3 && inside) continue;
        images[i * 784u + (top + y) * 28u + left + x] = static_cast<std::uint8_t>(255 - i % 50);
      }
  }
  return write_both_parts(folder, images, labels);
}

}  // namespace halfstep::test
