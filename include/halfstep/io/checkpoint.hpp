#pragma once

#include <halfstep/io/safetensors.hpp>
#include <halfstep/io/write_safetensors.hpp>
#include <halfstep/numeric/remainder16.hpp>

#include <cstring>
#include <list>
#include <set>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::io {

// A checkpoint is all that a run goes on from, to the bit: what a holder's
// `visit_state(visitor)` shows, which calls visitor(name, tensor) with tensors that share the
// holder's memory. Trainer has it; so have Optimizer, LossScaler and Average, for those who hold
// them themselves.
//
// A tensor whose name begins with "optional/" is what a run can do without: how a machine does its
// work best, say. A file may lack it, have it in other extents, which the holder's tensor then
// takes, or have one that this run does not keep.

namespace detail {

inline bool is_optional(std::string_view name) { return name.starts_with("optional/"); }

inline constexpr std::string_view checkpoint_format = "halfstep checkpoint";
inline constexpr std::string_view checkpoint_version = "1";

/// The dtype that a holder's numbers have in a file.
template <class T>
constexpr std::string_view checkpoint_dtype() {
  if constexpr (std::is_same_v<T, remainder16>) {
    return "I16";
  } else {
    static_assert(!dtype_of<T>().empty(), "halfstep: a checkpoint holds numbers");
    return dtype_of<T>();
  }
}

/// @throws IoError  the file is no checkpoint, or of another version
inline void require_checkpoint(const SafetensorsFile& file, const std::string& path) {
  const std::string* const format = file.metadata("format");
  if (format == nullptr || *format != checkpoint_format)
    fail<IoError>("load_checkpoint: ", path, " is no checkpoint; io::load reads a model's file");
  const std::string* const version = file.metadata("version");
  if (version == nullptr || *version != checkpoint_version)
    fail<IoError>("load_checkpoint: ", path, " has version '",
                  version == nullptr ? std::string("none") : *version, "' and this release reads '",
                  checkpoint_version, "'");
}

}  // namespace detail

/// Writes all that a run goes on from as a safetensors file. The file takes its name only when it
/// is complete. Waits for the device.
///
/// @param holder  has `Backend` and `visit_state`; a Trainer, say
/// @throws IoError  it cannot be written; an older file of that name is unchanged
template <class Holder>
void save_checkpoint(Holder& holder, const std::string& path,
                     const SafetensorsMetadata& metadata = {}) {
  using B = typename Holder::Backend;
  std::list<std::vector<std::byte>> held;
  std::vector<SafetensorsEntry> entries;
  holder.visit_state([&]<class T, class D>(const std::string& name, const Tensor<T, D>& tensor) {
    std::vector<T> values(static_cast<std::size_t>(tensor.size()));
    B::download(tensor.data(), std::span<T>(values));
    const auto bytes = std::as_bytes(std::span<const T>(values));
    held.emplace_back(bytes.begin(), bytes.end());
    entries.push_back(
        {name, std::string(detail::checkpoint_dtype<T>()), tensor.shape(), held.back()});
  });
  SafetensorsMetadata all = {{"format", std::string(detail::checkpoint_format)},
                             {"version", std::string(detail::checkpoint_version)}};
  all.insert(all.end(), metadata.begin(), metadata.end());
  write_safetensors(path, entries, all);
}

/// Reads what save_checkpoint wrote, to the bit, into a holder of the same kind: the same model,
/// precision, rule and wrapper.
///
/// @throws IoError     the file is no checkpoint or of another version, lacks something, or has
///                     something that the holder does not
/// @throws ShapeError  something has another shape, or numbers of another type
/// Nothing is changed where one of these is thrown.
template <class Holder>
void load_checkpoint(Holder& holder, const std::string& path) {
  using B = typename Holder::Backend;
  const SafetensorsFile file(path);
  detail::require_checkpoint(file, path);
  std::set<std::string> known;
  holder.visit_state([&]<class T, class D>(const std::string& name, const Tensor<T, D>& tensor) {
    const bool optional = detail::is_optional(name);
    if (optional && file.find(name) == nullptr) return;
    const SafetensorsEntry& entry = file.at(name);
    constexpr std::string_view dtype = detail::checkpoint_dtype<T>();
    if (!(optional || entry.shape == tensor.shape()) || entry.dtype != dtype)
      fail<ShapeError>("load_checkpoint: ", path, ": '", name, "' is ", entry.dtype, " ",
                       entry.shape, " and must be ", dtype, " ", tensor.shape(),
                       "; load into the same model, precision and rule, and change precision with ",
                       "continue_as");
    known.insert(name);
  });
  for (const SafetensorsEntry& entry : file.entries())
    if (!known.contains(entry.name) && !detail::is_optional(entry.name))
      fail<IoError>("load_checkpoint: ", path, " has '", entry.name,
                    "', which this run does not keep; load into the same model, precision, rule ",
                    "and wrapper");
  holder.visit_state([&]<class T, class D>(const std::string& name, Tensor<T, D>& tensor) {
    const bool optional = detail::is_optional(name);
    if (optional && file.find(name) == nullptr) return;
    const SafetensorsEntry& entry = file.at(name);
    if (optional && !(entry.shape == tensor.shape())) tensor = Tensor<T, D>(entry.shape);
    std::vector<T> values(static_cast<std::size_t>(tensor.size()));
    if (!values.empty())
      std::memcpy(static_cast<void*>(values.data()), entry.bytes.data(), entry.bytes.size());
    B::upload(std::span<const T>(values), tensor.data());
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI::io
