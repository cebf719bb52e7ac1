#pragma once

#include <halfstep/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#if defined(HALFSTEP_ZLIB)
#include <zlib.h>
#endif

namespace app {

/// Rows of gray values, 0 black and 255 white.
struct GrayImage {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::uint8_t> pixels;  ///< [height, width]
};

#if defined(HALFSTEP_ZLIB)

/// How files of images end.
inline constexpr std::string_view image_extension = ".png";

/// The image as a PNG file has it: ISO/IEC 15948, 8 bits of gray, no filter.
inline std::string encoded(const GrayImage& image) {
  const auto number = [](std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
    return bytes;
  };
  // A chunk's length counts its data alone, its checksum its name too.
  const auto chunk = [&](const std::string& name, const std::string& data) {
    const std::string body = name + data;
    const auto checksum =
        crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
    return number(static_cast<std::uint32_t>(data.size())) + body +
           number(static_cast<std::uint32_t>(checksum));
  };
  std::string rows;
  for (std::uint32_t y = 0; y < image.height; ++y) {
    rows += '\0';  // the row's filter: none
    rows.append(reinterpret_cast<const char*>(image.pixels.data()) + y * image.width, image.width);
  }
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  if (compress(reinterpret_cast<Bytef*>(packed.data()), &size,
               reinterpret_cast<const Bytef*>(rows.data()),
               static_cast<uLong>(rows.size())) != Z_OK)
    halfstep::fail<halfstep::IoError>("an image of ", image.width, " x ", image.height,
                                      " cannot be compressed: out of memory");
  packed.resize(size);
  const std::string format{8, 0, 0, 0, 0};  // bits a pixel, gray, deflate, filters, not interlaced
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", number(image.width) + number(image.height) + format) +
         chunk("IDAT", packed) + chunk("IEND", "");
}

#else

inline constexpr std::string_view image_extension = ".pgm";

/// The image as a binary PGM file has it.
inline std::string encoded(const GrayImage& image) {
  return "P5\n" + std::to_string(image.width) + " " + std::to_string(image.height) + "\n255\n" +
         std::string(image.pixels.begin(), image.pixels.end());
}

#endif

/// Writes an image: as PNG where the program is built with zlib, else as PGM.
/// @throws halfstep::IoError  the file cannot be written
inline void write_image(const GrayImage& image, const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!(file << encoded(image) << std::flush))
    halfstep::fail<halfstep::IoError>(path, ": the image cannot be written; choose a folder that ",
                                      "exists and may be written");
}

}  // namespace app
