#pragma once

#include <halfstep/io/safetensors.hpp>

namespace halfstep::inline HALFSTEP_ABI::io {

namespace detail {

/// A string as JSON; the text must be UTF-8.
inline std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) fail<IoError>("write_safetensors: the name '", text, "' is not UTF-8");
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

inline void check_entry(const SafetensorsEntry& entry) {
  const auto bits = static_cast<std::uint64_t>(dtype_bits(entry.dtype));
  if (bits == 0)
    fail<IoError>("write_safetensors: tensor '", entry.name, "' has the unknown dtype '",
                  entry.dtype, "'");
  if (entry.name == "__metadata__")
    fail<IoError>("write_safetensors: a tensor cannot be named __metadata__");
  if (static_cast<std::uint64_t>(entry.shape.size()) * bits != entry.bytes.size() * 8)
    fail<ShapeError>("write_safetensors: tensor '", entry.name, "': ", entry.bytes.size(),
                     " bytes do not fill ", entry.dtype, " ", entry.shape);
}

}  // namespace detail

/// Writes tensors and strings as a safetensors file: the largest element type first, so that each
/// tensor is aligned, then by name. The file takes its name only when it is complete.
///
/// @throws IoError     a name twice or not UTF-8, an unknown dtype, or the file cannot be written;
///                     an older file of that name is unchanged
/// @throws ShapeError  an entry's bytes do not fill its shape
inline void write_safetensors(const std::string& path, std::span<const SafetensorsEntry> entries,
                              const SafetensorsMetadata& metadata = {}) {
  const std::vector<const SafetensorsEntry*> names = detail::sorted(entries, detail::by_name);
  for (std::size_t i = 0; i < names.size(); ++i) {
    detail::check_entry(*names[i]);
    if (i > 0 && names[i - 1]->name == names[i]->name)
      fail<IoError>("write_safetensors: ", path, ": the name '", names[i]->name, "' occurs twice");
  }
  std::vector<const SafetensorsEntry*> order;
  for (int bits = 64; bits > 0; --bits)
    for (const SafetensorsEntry* entry : names)
      if (dtype_bits(entry->dtype) == bits) order.push_back(entry);

  std::string header = "{";
  const char* separator = "\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    (header += separator) += detail::json_string(key);
    (header += ':') += detail::json_string(value);
    separator = ",";
  }
  if (!metadata.empty()) header += '}';
  separator = metadata.empty() ? "" : ",";
  std::size_t offset = 0;
  for (const SafetensorsEntry* entry : order) {
    (header += separator) += detail::json_string(entry->name);
    ((header += ":{\"dtype\":\"") += entry->dtype) += "\",\"shape\":[";
    separator = "";  // before the first extent
    for (const Index extent : entry->shape) {
      (header += separator) += std::to_string(extent);
      separator = ",";
    }
    separator = ",";
    (header += "],\"data_offsets\":[") += std::to_string(offset);
    offset += entry->bytes.size();
    ((header += ',') += std::to_string(offset)) += "]}";
  }
  header += '}';
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > SafetensorsFile::max_header)
    fail<IoError>("write_safetensors: ", path, ": the header has ", header.size(),
                  " bytes; the most is ", SafetensorsFile::max_header);

  std::array<std::byte, 8> length{};
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<std::byte>(header.size() >> 8 * i);
  ReplacingFile file(path);
  file.write(length);
  file.write(std::as_bytes(std::span(header)));
  for (const SafetensorsEntry* entry : order) file.write(entry->bytes);
  file.commit();
}

}  // namespace halfstep::inline HALFSTEP_ABI::io
