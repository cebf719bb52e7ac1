#pragma once

#include <halfstep/io/json_string.hpp>
#include <halfstep/io/safetensors.hpp>

namespace halfstep::inline HALFSTEP_ABI::io {

namespace detail {

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
    (header += separator) += json_string(key);
    (header += ':') += json_string(value);
    separator = ",";
  }
  if (!metadata.empty()) header += '}';
  separator = metadata.empty() ? "" : ",";
  std::size_t offset = 0;
  for (const SafetensorsEntry* entry : order) {
    (header += separator) += json_string(entry->name);
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
