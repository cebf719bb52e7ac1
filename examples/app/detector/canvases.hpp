#pragma once

#include <app/detector/box.hpp>

#include <halfstep/core/random.hpp>
#include <halfstep/data/memory_set.hpp>

#include <cmath>
#include <span>
#include <vector>

namespace app {

/// An image of some digits on a dark ground, and where they are.
struct Canvas {
  std::vector<float> pixels;  ///< [size, size], 0 to 1
  std::vector<Truth> truths;
};

/// What canvases are like; lengths in pixels.
struct CanvasSettings {
  halfstep::Index size = 64;
  std::uint64_t most_digits = 4;
  float smallest = 14.0f;  ///< the longer side of a digit's box
  float largest = 30.0f;
  float faintest = 0.4f;      ///< a digit's brightness, at most 1
  float noise = 0.25f;        ///< of every pixel, at most
  float most_overlap = 0.1f;  ///< of two digits' boxes, intersection over union
};

/// Draws canvases of random digits of a set of images, in random places and sizes.
class CanvasPainter {
 public:
  /// @param digits  images of 28 x 28; outlives this object
  /// @throws halfstep::DataError  an image is dark all over, and so no digit
  explicit CanvasPainter(const halfstep::data::ClassificationSet& digits,
                         const CanvasSettings& settings = {})
      : digits_(&digits), settings_(settings) {
    ink_.reserve(static_cast<std::size_t>(digits.size()));
    for (halfstep::Index i = 0; i < digits.size(); ++i) ink_.push_back(ink_of(i));
  }

  const CanvasSettings& settings() const { return settings_; }
  std::int32_t classes() const { return static_cast<std::int32_t>(digits_->classes()); }

  /// The next canvas of a stream of random numbers: one digit at least, and no more than there is
  /// room for.
  Canvas paint(halfstep::RandomStream& random) const {
    Canvas canvas;
    const auto size = static_cast<std::size_t>(settings_.size);
    canvas.pixels.resize(size * size);
    for (float& pixel : canvas.pixels) pixel = settings_.noise * random.uniform();
    const std::uint64_t digits = 1 + random.below(settings_.most_digits);
    constexpr int tries = 20;
    for (std::uint64_t digit = 0; digit < digits; ++digit)
      for (int i = 0; i < tries; ++i)
        if (place(canvas, random)) break;
    return canvas;
  }

 private:
  static constexpr std::ptrdiff_t side = 28;  ///< of a digit's image

  /// The smallest rectangle that has all of an image's ink, in its pixels.
  struct Ink {
    std::ptrdiff_t left = side, top = side, right = 0, bottom = 0;
  };
  Ink ink_of(halfstep::Index i) const {
    constexpr float ink_from = 0.25f;
    const std::span<const float> image = digits_->get(i).features;
    Ink ink;
    for (std::ptrdiff_t y = 0; y < side; ++y)
      for (std::ptrdiff_t x = 0; x < side; ++x) {
        if (image[static_cast<std::size_t>(y * side + x)] < ink_from) continue;
        ink = {std::min(ink.left, x), std::min(ink.top, y), std::max(ink.right, x + 1),
               std::max(ink.bottom, y + 1)};
      }
    if (ink.right == 0)
      halfstep::fail<halfstep::DataError>("image ", i, " of the digits is dark all over; canvases ",
                                          "are painted of images with ink");
    return ink;
  }

  /// Paints a digit, unless it would cover another one.
  bool place(Canvas& canvas, halfstep::RandomStream& random) const {
    const auto between = [&](float from, float to) {
      return from + (to - from) * random.uniform();
    };
    const auto i =
        static_cast<halfstep::Index>(random.below(static_cast<std::uint64_t>(digits_->size())));
    const Ink& ink = ink_[static_cast<std::size_t>(i)];
    const auto ink_width = static_cast<float>(ink.right - ink.left);
    const auto ink_height = static_cast<float>(ink.bottom - ink.top);
    const float scale =
        between(settings_.smallest, settings_.largest) / std::max(ink_width, ink_height);
    const float width = std::max(1.0f, std::round(ink_width * scale));
    const float height = std::max(1.0f, std::round(ink_height * scale));
    const auto room = static_cast<float>(settings_.size);
    const float left = std::floor(between(0.0f, room - width + 1.0f));
    const float top = std::floor(between(0.0f, room - height + 1.0f));
    const float brightness = between(settings_.faintest, 1.0f);
    const Box box{left, top, left + width, top + height};
    for (const Truth& other : canvas.truths)
      if (intersection_over_union(box, other.box) > settings_.most_overlap) return false;

    const std::span<const float> image = digits_->get(i).features;
    for (float y = top; y < box.bottom; y += 1.0f)
      for (float x = left; x < box.right; x += 1.0f) {
        const float value = between_pixels(
            image, static_cast<float>(ink.left) + (x - left + 0.5f) * ink_width / width - 0.5f,
            static_cast<float>(ink.top) + (y - top + 0.5f) * ink_height / height - 0.5f);
        float& pixel = canvas.pixels[static_cast<std::size_t>(y * room + x)];
        pixel = std::max(pixel, brightness * value);
      }
    canvas.truths.push_back({box, digits_->get(i).label});
    return true;
  }

  /// An image between its pixels, linear in either direction.
  static float between_pixels(std::span<const float> image, float x, float y) {
    const auto at = [&](std::ptrdiff_t column, std::ptrdiff_t row) {
      column = std::clamp<std::ptrdiff_t>(column, 0, side - 1);
      row = std::clamp<std::ptrdiff_t>(row, 0, side - 1);
      return image[static_cast<std::size_t>(row * side + column)];
    };
    const auto column = static_cast<std::ptrdiff_t>(std::floor(x));
    const auto row = static_cast<std::ptrdiff_t>(std::floor(y));
    const float right = x - std::floor(x), lower = y - std::floor(y);
    return (1 - lower) * ((1 - right) * at(column, row) + right * at(column + 1, row)) +
           lower * ((1 - right) * at(column, row + 1) + right * at(column + 1, row + 1));
  }

  const halfstep::data::ClassificationSet* digits_;
  CanvasSettings settings_;
  std::vector<Ink> ink_;
};

}  // namespace app
