#pragma once

#include <halfstep/io/safetensors.hpp>
#include <halfstep/numeric/storage_cast.hpp>

#include <limits>

namespace halfstep::inline HALFSTEP_ABI::io {

/// Whether reading may change values.
enum class Rounding : std::uint8_t {
  refuse,   ///< only types that hold every value of the file's
  nearest,  ///< a wider floating-point type may be rounded to a narrower one, to nearest even
};

namespace detail {

/// Whether every `From` is a `To`.
template <class From, class To>
constexpr bool holds_all() {
  if constexpr (std::is_same_v<From, To>) return true;
  if constexpr (std::is_integral_v<To>) {
    if constexpr (std::is_integral_v<From> && !std::is_same_v<To, bool>)
      return std::numeric_limits<From>::digits <= std::numeric_limits<To>::digits &&
             (std::is_unsigned_v<From> || std::is_signed_v<To>);
    return false;
  } else if constexpr (std::is_integral_v<From>) {
    return std::numeric_limits<From>::digits <= numeric_traits<To>::digits;
  } else {
    return numeric_traits<From>::digits <= numeric_traits<To>::digits &&
           numeric_traits<From>::max <= numeric_traits<To>::max &&
           numeric_traits<From>::min_subnormal >= numeric_traits<To>::min_subnormal;
  }
}

template <class From, class To>
To converted(From value) {
  if constexpr (std::is_integral_v<To>)
    return static_cast<To>(value);
  else if constexpr (std::is_integral_v<From>)
    return storage_cast<To>(static_cast<double>(value));
  else
    return storage_cast<To>(value);
}

}  // namespace detail

/// Copies a tensor's elements, converted to `To`, to a place for as many.
///
/// @numerics  exact; under `Rounding::nearest` floating-point numbers are rounded once, to nearest
///            even
/// @throws ShapeError      the place has another size
/// @throws PrecisionError  `To` does not hold all values of the file's type, and rounding is
///                         refused or does not help (a number with a fraction as an integer)
template <class To>
void read_into(const SafetensorsEntry& entry, std::span<To> to,
               Rounding rounding = Rounding::refuse) {
  if (static_cast<Index>(to.size()) != entry.shape.size())
    fail<ShapeError>("read_into: tensor '", entry.name, "' is ", entry.shape, " and the place has ",
                     to.size(), " elements");
  const auto refuse = [&](const char* remedy) {
    fail<PrecisionError>("read_into: tensor '", entry.name, "' is stored as ", entry.dtype,
                         ", and ", dtype_of<To>(), " does not hold all of its values", remedy);
  };
  const bool known = with_dtype(entry.dtype, [&](auto zero) {
    using From = decltype(zero);
    constexpr bool exact = detail::holds_all<From, To>();
    constexpr bool rounds = !std::is_integral_v<From> && !std::is_integral_v<To>;
    if constexpr (exact || rounds) {
      if (!exact && rounding == Rounding::refuse) refuse("; pass Rounding::nearest to round them");
      // The bytes lie at any alignment.
      for (std::size_t i = 0; i < to.size(); ++i) {
        const std::byte* from = entry.bytes.data() + i * sizeof(From);
        From value{};
        if constexpr (std::is_same_v<From, bool>)
          value = *from != std::byte{0};
        else
          std::memcpy(&value, from, sizeof(From));
        to[i] = detail::converted<From, To>(value);
      }
    } else {
      refuse("; read it as another type");
    }
  });
  if (!known) refuse("; use the entry's bytes");
}

/// A tensor's elements, converted to `To`; see `read_into`.
template <class To>
std::vector<To> read_as(const SafetensorsEntry& entry, Rounding rounding = Rounding::refuse) {
  std::vector<To> values(static_cast<std::size_t>(entry.shape.size()));
  read_into(entry, std::span<To>(values), rounding);
  return values;
}

}  // namespace halfstep::inline HALFSTEP_ABI::io
