#pragma once

#include <halfstep/autograd/parameter_store.hpp>
#include <halfstep/ops/finite_check.hpp>

#include <string>

namespace halfstep::inline HALFSTEP_ABI::train {

/// The name of the first parameter whose gradient (of the last backward pass) holds an inf or a
/// NaN; empty where all are finite. Waits for the device: for messages, not for steps.
template <class B>
std::string first_not_finite(ParameterStore<B>& store) {
  TensorOf<FiniteCheck, B> check(Shape{1});
  for (std::size_t i = 0; i < store.count(); ++i) {
    FiniteCheck found;
    B::upload(std::span<const FiniteCheck>(&found, 1), check.data());
    store.visit_parameter(i, [&](auto& segment, Index offset) {
      if (segment.frozen() || segment.gradients().empty()) return;
      const auto* gradient = segment.gradients().data() + offset;
      B::check_finite(store.info(i).shape.size(), gradient, check.data());
    });
    B::download(std::as_const(check).data(), std::span<FiniteCheck>(&found, 1));
    if (found.found_inf != 0) return store.info(i).name;
  }
  return {};
}

}  // namespace halfstep
