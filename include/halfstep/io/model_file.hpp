#pragma once

#include <halfstep/autograd/parameters.hpp>
#include <halfstep/io/read_as.hpp>
#include <halfstep/io/safetensors.hpp>
#include <halfstep/io/write_safetensors.hpp>

#include <set>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::io {

/// How a model is written.
struct SaveSettings {
  /// FP32 masters (what training goes on from), or the weights as they are stored: half the size,
  /// all that predicting needs.
  bool masters = true;
  SafetensorsMetadata metadata = {};
};

/// The safetensors dtype of a storage type's name.
inline std::string_view dtype_of_storage(std::string_view storage) {
  return storage == numeric_traits<float16>::name    ? "F16"
         : storage == numeric_traits<bfloat16>::name ? "BF16"
         : storage == numeric_traits<double>::name   ? "F64"
                                                     : "F32";
}

/// Writes a model's parameters and statistics, by name, as a safetensors file. The file takes its
/// name only when it is complete.
/// @throws IoError  it cannot be written; an older file of that name is unchanged
template <class Model>
void save(const Model& model, const std::string& path, const SaveSettings& settings = {}) {
  auto& store = *model.parameters().store();
  std::vector<std::vector<std::byte>> held(store.count());
  std::vector<SafetensorsEntry> entries;
  for (std::size_t i = 0; i < store.count(); ++i) {
    const ParameterInfo& info = store.info(i);
    const auto& segment = store.segment_of(i);
    const auto size = static_cast<std::size_t>(info.shape.size());
    if (settings.masters && segment.has_16_bits()) {
      const std::vector<float> masters = store.read(i);
      const auto bytes = std::as_bytes(std::span(masters));
      held[i].assign(bytes.begin(), bytes.end());
      entries.push_back({info.name, "F32", info.shape, held[i]});
    } else {
      const std::string dtype(dtype_of_storage(info.storage));
      held[i].resize(size * static_cast<std::size_t>(dtype_bits(dtype)) / 8);
      segment.read_stored(store.offset_of(i), held[i]);
      entries.push_back({info.name, dtype, info.shape, held[i]});
    }
  }
  auto& statistics = store.statistics();
  for (std::size_t i = 0; i < statistics.count(); ++i) {
    const std::vector<float> values = statistics.read(i);
    const auto bytes = std::as_bytes(std::span(values));
    held.emplace_back(bytes.begin(), bytes.end());
    entries.push_back({statistics.name(i), "F32", statistics.shape(i), {}});
  }
  // Where `held` has come to rest.
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].bytes = held[i];
  write_safetensors(path, entries, settings.metadata);
}

/// Reads a model's parameters and statistics from a safetensors file: masters where the model keeps
/// them, and the weights rounded from them. Every parameter must be in the file under its name with
/// its shape, and nothing else may be.
///
/// @throws IoError     the file is not what it should be, lacks a parameter or has another
/// @throws ShapeError  a tensor has another shape
/// The model is changed only when all is well.
template <class Model>
void load(const Model& model, const std::string& path) {
  const SafetensorsFile file(path);
  auto& store = *model.parameters().store();
  auto& statistics = store.statistics();
  const std::size_t count = store.count();
  std::vector<std::vector<float>> values(count + statistics.count());
  std::set<std::string_view> known;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string& name = i < count ? store.info(i).name : statistics.name(i - count);
    const Shape& shape = i < count ? store.info(i).shape : statistics.shape(i - count);
    const SafetensorsEntry& entry = file.at(name);
    if (!(entry.shape == shape))
      fail<ShapeError>("load: ", path, ": '", name, "' has shape ", entry.shape,
                       " and the model's is ", shape,
                       "; build the model with the settings that it was saved under");
    values[i] = read_as<float>(entry, Rounding::nearest);
    known.insert(name);
  }
  for (const SafetensorsEntry& entry : file.entries())
    if (!known.contains(entry.name))
      fail<IoError>("load: ", path, " has a tensor '", entry.name,
                    "' that the model has no parameter for");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i < count)
      store.write(i, values[i]);
    else
      statistics.write(i - count, values[i]);
  }
}

}  // namespace halfstep
