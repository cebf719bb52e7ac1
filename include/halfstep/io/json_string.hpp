#pragma once

#include <halfstep/io/json_reader.hpp>

namespace halfstep::inline HALFSTEP_ABI::io {

/// A string as JSON.
/// @throws IoError  it is not UTF-8
inline std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) fail<IoError>("the name '", text, "' is not UTF-8");
    const auto c = static_cast<unsigned char>(text[at]);
    constexpr std::string_view hexadecimal = "0123456789abcdef";
    if (c == '"' || c == '\\')
      (quoted += '\\') += static_cast<char>(c);
    else if (c < 0x20)
      ((quoted += "\\u00") += hexadecimal[c >> 4]) += hexadecimal[c & 15];
    else
      quoted.append(text, at, length);
    at += length;
  }
  return quoted += '"';
}

}  // namespace halfstep
