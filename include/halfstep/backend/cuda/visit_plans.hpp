#pragma once

#include <halfstep/tensor/tensor.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// Calls visitor(name, tensor) for the table of plans and for the machine that it is valid for, and
/// takes what the visitor leaves there, which may be longer or shorter.
///
/// @tparam B  whose tensors they are
template <class B, class Plans, class Visitor>
void visit_plans(Plans& plans, Visitor&& visitor, const char* machine_name = "machine",
                 const char* table_name = "products") {
  using Device = typename B::DeviceType;
  const auto shown = [&]<class T>(const char* name, std::vector<T>& values, const Shape& shape) {
    Tensor<T, Device> tensor(shape);
    B::upload(std::span<const T>(values), tensor.data());
    visitor(std::string(name), tensor);
    values.resize(static_cast<std::size_t>(tensor.size()));
    B::download(std::as_const(tensor).data(), std::span<T>(values));
  };
  const std::string machine = Plans::machine();
  std::vector<std::uint8_t> valid_for(machine.begin(), machine.end());
  const std::vector<std::int64_t> before = plans.words();
  std::vector<std::int64_t> words = before;
  constexpr auto width = static_cast<Index>(Plans::words_of_a_plan);
  shown(machine_name, valid_for, Shape{static_cast<Index>(valid_for.size())});
  shown(table_name, words, Shape{static_cast<Index>(words.size()) / width, width});
  if (words != before) plans.restore(std::string(valid_for.begin(), valid_for.end()), words);
}

}  // namespace halfstep::inline HALFSTEP_ABI::backend::cuda
