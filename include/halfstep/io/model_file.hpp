#pragma once

#include <halfstep/autograd/parameters.hpp>
#include <halfstep/io/read_as.hpp>
#include <halfstep/io/safetensors.hpp>
#include <halfstep/io/write_safetensors.hpp>

namespace halfstep::inline HALFSTEP_ABI::io {

/// How a model is written.
struct SaveSettings {
  /// FP32 masters (what training goes on from), or the weights as they are stored: half the size,
  /// all that predicting needs.
  bool masters = true;
  SafetensorsMetadata metadata;
};

/// Writes a model's parameters, by name, as a safetensors file. The file takes its name only when
/// it is complete.
/// @throws IoError  it cannot be written; an older file of that name is unchanged
template <class Model>
void save(const Model& model, const std::string& path, const SaveSettings& settings = {}) {
  auto& store = *model.parameters().store();
  std::vector<std::vector<std::byte>> held(store.count());
  std::vector<SafetensorsEntry> entries;
  for (std::size_t i = 0; i < store.count(); ++i) {
    const ParameterInfo& info = store.info(i);
    store.visit_parameter(i, [&](auto& segment, Index offset) {
      using T = typename std::remove_reference_t<decltype(segment)>::Storage;
      using B = typename Model::Backend;
      const auto keep = [&](auto zero, auto read) {
        using U = decltype(zero);
        std::vector<U> values(static_cast<std::size_t>(info.shape.size()));
        read(std::span<U>(values));
        const auto bytes = std::as_bytes(std::span<const U>(values));
        held[i].assign(bytes.begin(), bytes.end());
        entries.push_back({info.name, std::string(dtype_of<U>()), info.shape, held[i]});
      };
      const T* weights = segment.values().data() + offset;
      if constexpr (numeric_traits<T>::is_16_bit) {
        if (settings.masters) {
          keep(0.0f, [&](std::span<float> values) { segment.read(offset, values); });
          return;
        }
      }
      keep(T{}, [&](std::span<T> values) { B::download(weights, values); });
    });
  }
  write_safetensors(path, entries, settings.metadata);
}

/// Reads a model's parameters from a safetensors file: masters where the model keeps them, and the
/// weights rounded from them. Every parameter must be in the file under its name with its shape,
/// and nothing else may be.
///
/// @throws IoError     the file is not what it should be, lacks a parameter or has another
/// @throws ShapeError  a tensor has another shape
/// The model is changed only when all is well.
template <class Model>
void load(const Model& model, const std::string& path) {
  const SafetensorsFile file(path);
  auto& store = *model.parameters().store();
  std::vector<std::vector<float>> values(store.count());
  for (std::size_t i = 0; i < store.count(); ++i) {
    const ParameterInfo& info = store.info(i);
    const SafetensorsEntry& entry = file.at(info.name);
    if (!(entry.shape == info.shape))
      fail<ShapeError>("load: ", path, ": '", info.name, "' has shape ", entry.shape,
                       " and the model's is ", info.shape,
                       "; build the model with the settings that it was saved under");

    values[i] = read_as<float>(entry, Rounding::nearest);
  }
  if (file.entries().size() != store.count())
    for (const SafetensorsEntry& entry : file.entries()) {
      bool known = false;
      for (std::size_t i = 0; i < store.count(); ++i) known |= store.info(i).name == entry.name;
      if (!known)
        fail<IoError>("load: ", path, " has a tensor '", entry.name,
                      "' that the model has no parameter for");
    }
  for (std::size_t i = 0; i < store.count(); ++i) store.write(i, values[i]);
}

}  // namespace halfstep
