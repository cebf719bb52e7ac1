#pragma once

#include <halfstep/core/file.hpp>
#include <halfstep/numeric/float16.hpp>
#include <halfstep/tensor/shape.hpp>

#include <bit>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::data {

/// What the elements of an array from a file are.
enum class ElementType : std::uint8_t { b1, u1, u2, u4, u8, i1, i2, i4, i8, f2, f4, f8 };

constexpr std::size_t bytes_of(ElementType type) {
  constexpr std::size_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8};
  return sizes[static_cast<std::size_t>(type)];
}

/// An array from a file, whose element type only the file tells: its bytes in this machine's order,
/// row-major.
struct Array {
  ElementType type = ElementType::f4;
  Shape shape{0};
  FileBytes bytes;
  std::string path;  ///< where it came from, for messages

  /// Calls `f` with a pointer to the first element.
  template <class F>
  decltype(auto) visit(const F& f) const {
    const std::byte* first = bytes.span().data();
    switch (type) {
      case ElementType::b1:
      case ElementType::u1:
        return f(reinterpret_cast<const std::uint8_t*>(first));
      case ElementType::u2:
        return f(reinterpret_cast<const std::uint16_t*>(first));
      case ElementType::u4:
        return f(reinterpret_cast<const std::uint32_t*>(first));
      case ElementType::u8:
        return f(reinterpret_cast<const std::uint64_t*>(first));
      case ElementType::i1:
        return f(reinterpret_cast<const std::int8_t*>(first));
      case ElementType::i2:
        return f(reinterpret_cast<const std::int16_t*>(first));
      case ElementType::i4:
        return f(reinterpret_cast<const std::int32_t*>(first));
      case ElementType::i8:
        return f(reinterpret_cast<const std::int64_t*>(first));
      case ElementType::f2:
        return f(reinterpret_cast<const float16*>(first));
      case ElementType::f4:
        return f(reinterpret_cast<const float*>(first));
      case ElementType::f8:
        break;
    }
    return f(reinterpret_cast<const double*>(first));
  }

  /// The elements as numbers of type `To`: rounded where `To` has a fraction, exact where it is an
  /// integer.
  /// @throws DataError  an element is no such integer (0.5, or out of range)
  template <class To>
  std::vector<To> values() const {
    std::vector<To> result(static_cast<std::size_t>(shape.size()));
    visit([&](const auto* from) {
      for (std::size_t i = 0; i < result.size(); ++i) {
        if constexpr (std::is_same_v<decltype(from), const float16*>)
          result[i] = number<To>(static_cast<float>(from[i]), i);
        else
          result[i] = number<To>(from[i], i);
      }
    });
    return result;
  }

 private:
  template <class To, class From>
  To number(From value, std::size_t at) const {
    if constexpr (std::is_integral_v<To>) {
      bool held = false;
      if constexpr (std::is_integral_v<From>) {
        held = static_cast<From>(static_cast<To>(value)) == value &&
               (static_cast<To>(value) < To{}) == (value < From{});
      } else {
        // The limits as powers of two: the largest integers are no floating-point numbers.
        const auto limit = static_cast<From>(std::uint64_t{1} << (8 * sizeof(To) - 1)) *
                           (std::is_signed_v<To> ? From(1) : From(2));
        held = value < limit && value >= (std::is_signed_v<To> ? -limit : From(0)) &&
               static_cast<From>(static_cast<To>(value)) == value;
      }
      if (!held)
        fail<DataError>(path, ": element ", at, " is ", +value, ", which is no integer of ",
                        8 * sizeof(To), " bits", std::is_signed_v<To> ? "" : " without sign");
    }
    return static_cast<To>(value);
  }
};

/// Turns elements of `width` bytes that a file has in the other byte order.
inline void swap_bytes(std::span<std::byte> bytes, std::size_t width) {
  for (std::size_t at = 0; at + width <= bytes.size(); at += width)
    for (std::size_t i = 0; i < width / 2; ++i) std::swap(bytes[at + i], bytes[at + width - 1 - i]);
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
