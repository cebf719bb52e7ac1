#pragma once

#include <halfstep/io/dtype.hpp>
#include <halfstep/io/json_reader.hpp>
#include <halfstep/io/replacing_file.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::io {

/// A named tensor in a safetensors file: little-endian elements, row-major, at any alignment.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;  ///< as the format spells it: "F32", "BF16", ...
  Shape shape;
  std::span<const std::byte> bytes;  ///< somebody else owns them
};

/// Names and values that describe a file.
using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

/// The entry of elements that somebody else holds until the entry is written.
template <class T>
SafetensorsEntry safetensors_entry(std::string name, std::span<const T> values,
                                   const Shape& shape) {
  static_assert(!dtype_of<T>().empty(), "halfstep: safetensors has no dtype for this type");
  return {std::move(name), std::string(dtype_of<T>()), shape, std::as_bytes(values)};
}
template <class T>
SafetensorsEntry safetensors_entry(std::string name, const Tensor<T>& tensor) {
  return safetensors_entry(std::move(name), tensor.span(), tensor.shape());
}

namespace detail {

using EntryOrder = bool (*)(const SafetensorsEntry*, const SafetensorsEntry*);

inline bool by_name(const SafetensorsEntry* a, const SafetensorsEntry* b) {
  return a->name < b->name;
}
/// Where their bytes are; tensors without any come first.
inline bool by_place(const SafetensorsEntry* a, const SafetensorsEntry* b) {
  if (a->bytes.data() != b->bytes.data()) return a->bytes.data() < b->bytes.data();
  if (a->bytes.size() != b->bytes.size()) return a->bytes.size() < b->bytes.size();
  return by_name(a, b);
}
inline std::vector<const SafetensorsEntry*> sorted(std::span<const SafetensorsEntry> entries,
                                                   EntryOrder before) {
  std::vector<const SafetensorsEntry*> order;
  for (const SafetensorsEntry& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(), before);
  return order;
}

}  // namespace detail

/// A safetensors file, read and checked whole when this is made.
///
/// Nothing in the file is trusted: the header's length and JSON, names (once each), dtypes, shapes
/// (products that overflow), and that the tensors' bytes follow one another from the first to the
/// last byte of the file, without a hole or an overlap.
class SafetensorsFile {
 public:
  static constexpr std::uint64_t max_header = 100'000'000;

  /// @throws IoError  the file cannot be read, or breaks a rule of the format; the message names
  ///                  the file, the tensor and the rule
  explicit SafetensorsFile(const std::string& path) : path_(path), file_(read_file(path)) {
    parse();
  }
  /// A file that is in memory already; `name` stands for it in messages.
  SafetensorsFile(FileBytes bytes, std::string name)
      : path_(std::move(name)), file_(std::move(bytes)) {
    parse();
  }

  /// The tensors, in the order of their bytes. Their spans live as long as this file.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const SafetensorsMetadata& metadata() const { return metadata_; }
  /// The metadata's value of this name, or a null pointer.
  const std::string* metadata(std::string_view name) const {
    for (const auto& pair : metadata_)
      if (pair.first == name) return &pair.second;
    return nullptr;
  }
  const std::string& path() const { return path_; }
  /// The tensor of this name, or a null pointer.
  const SafetensorsEntry* find(std::string_view name) const {
    for (const SafetensorsEntry& entry : entries_)
      if (entry.name == name) return &entry;
    return nullptr;
  }
  /// The tensor of this name.
  /// @throws IoError  there is none
  const SafetensorsEntry& at(std::string_view name) const {
    if (const SafetensorsEntry* entry = find(name)) return *entry;
    std::string others;
    for (const SafetensorsEntry& entry : entries_)
      others += (others.empty() ? "" : ", ") + entry.name;
    fail<IoError>(path_, ": there is no tensor '", name, "'; it has ", others);
  }

 private:
  struct Extents {
    std::vector<std::uint64_t> shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<IoError>(path_, ": not a safetensors file: ", parts...);
  }

  void parse() {
    const std::span<const std::byte> all = file_.span();
    if (all.size() < 8) refuse("it has ", all.size(), " bytes, fewer than the 8 of its length");
    std::uint64_t header = 0;
    for (int i = 7; i >= 0; --i)
      header = header << 8 | std::to_integer<std::uint64_t>(all[static_cast<std::size_t>(i)]);
    if (header > max_header)
      refuse("its header would have ", header, " bytes; the most is ", max_header);
    if (header > all.size() - 8)
      refuse("its header would have ", header, " bytes, and ", all.size() - 8, " follow");
    const auto length = static_cast<std::size_t>(header);
    const std::span<const std::byte> data = all.subspan(8 + length);
    JsonReader json({reinterpret_cast<const char*>(all.data()) + 8, length}, path_ + ": header");
    bool has_metadata = false;
    json.object([&](const std::string& name) {
      if (name == "__metadata__") {
        if (has_metadata) json.fail_here("a second __metadata__");
        has_metadata = true;
        json.object([&](const std::string& key) {
          if (metadata(key) != nullptr) json.fail_here("a second '" + key + "' in __metadata__");
          metadata_.emplace_back(key, json.string());
        });
      } else {
        parse_entry(json, name, data);
      }
    });
    json.end();
    check_names();
    check_coverage(data);
  }

  void parse_entry(JsonReader& json, const std::string& name, std::span<const std::byte> data) {
    SafetensorsEntry entry{name, {}, {}, {}};
    Extents extents;
    bool has_dtype = false, has_shape = false, has_offsets = false;
    const auto once = [&](bool& has, const std::string& field) {
      if (has) json.fail_here("a second '" + field + "' of tensor '" + name + "'");
      has = true;
    };
    json.object([&](const std::string& field) {
      if (field == "dtype") {
        once(has_dtype, field);
        entry.dtype = json.string();
      } else if (field == "shape") {
        once(has_shape, field);
        json.array([&] { extents.shape.push_back(json.unsigned_integer()); });
      } else if (field == "data_offsets") {
        once(has_offsets, field);
        std::vector<std::uint64_t> offsets;
        json.array([&] { offsets.push_back(json.unsigned_integer()); });
        if (offsets.size() != 2)
          json.fail_here("data_offsets of tensor '" + name + "' are not two numbers");
        extents.begin = offsets[0];
        extents.end = offsets[1];
      } else {
        json.skip();  // as the format's reference reader does
      }
    });
    if (!has_dtype || !has_shape || !has_offsets)
      json.fail_here("tensor '" + name + "' needs a dtype, a shape and data_offsets");
    check_extents(entry, extents, data.size());
    entry.bytes = data.subspan(static_cast<std::size_t>(extents.begin),
                               static_cast<std::size_t>(extents.end - extents.begin));
    entries_.push_back(std::move(entry));
  }

  void check_extents(SafetensorsEntry& entry, const Extents& extents, std::size_t size) const {
    const std::string who = "tensor '" + entry.name + "'";
    const int bits = dtype_bits(entry.dtype);
    if (bits == 0) refuse(who, " has the unknown dtype '", entry.dtype, "'");
    if (extents.shape.size() > Shape::max_rank)
      fail<IoError>(path_, ": ", who, " has rank ", extents.shape.size(), "; the largest here is ",
                    Shape::max_rank);
    std::uint64_t product = 1;
    std::vector<Index> shape;
    for (const std::uint64_t extent : extents.shape) {
      if (extent > INT64_MAX || (extent != 0 && product > INT64_MAX / extent))
        refuse(who, ": the product of its shape overflows");
      product *= extent;
      shape.push_back(static_cast<Index>(extent));
    }
    entry.shape = Shape(std::span<const Index>(shape));
    if (extents.begin > extents.end || extents.end > size)
      refuse(who, " lies at bytes ", extents.begin, " to ", extents.end, " of ", size);
    if (product > UINT64_MAX / static_cast<std::uint64_t>(bits))
      refuse(who, ": its size overflows");
    const std::uint64_t needed = product * static_cast<std::uint64_t>(bits);
    if (needed % 8 != 0) refuse(who, ": ", needed, " bits do not fill bytes");
    if (extents.end - extents.begin != needed / 8)
      refuse(who, ": ", entry.dtype, " ", entry.shape, " has ", needed / 8,
             " bytes, and its data_offsets span ", extents.end - extents.begin);
  }

  void check_names() const {
    const std::vector<const SafetensorsEntry*> order = detail::sorted(entries_, detail::by_name);
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i - 1]->name == order[i]->name)
        refuse("the name '", order[i]->name, "' occurs twice");
  }

  void check_coverage(std::span<const std::byte> data) {
    std::vector<SafetensorsEntry> in_order;
    const std::byte* covered = data.data();
    for (const SafetensorsEntry* entry : detail::sorted(entries_, detail::by_place)) {
      if (entry->bytes.data() != covered)
        refuse("tensor '", entry->name, "' starts at byte ", entry->bytes.data() - data.data(),
               " of the data, and those before it end at ", covered - data.data());
      covered += entry->bytes.size();
      in_order.push_back(*entry);
    }
    entries_ = std::move(in_order);
    const auto left = static_cast<std::size_t>(data.data() + data.size() - covered);
    if (left != 0) refuse(left, " bytes at its end belong to no tensor");
  }

  std::string path_;
  FileBytes file_;
  std::vector<SafetensorsEntry> entries_;
  SafetensorsMetadata metadata_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::io
