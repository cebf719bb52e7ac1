#pragma once

#include <halfstep/autograd/parameter_store.hpp>
#include <halfstep/ops/finite_check.hpp>

#include <string>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// The name of the first parameter whose gradient (of the last step, its micro-batches together)
/// holds an inf or a NaN; empty where all are finite. Waits for the device: for messages, not for
/// steps.
template <class B>
std::string first_not_finite(ParameterStore<B>& store) {
  TensorOf<FiniteCheck, B> check(Shape{1});
  for (std::size_t i = 0; i < store.count(); ++i) {
    FiniteCheck found;
    B::upload(std::span<const FiniteCheck>(&found, 1), check.data());
    const auto& segment = store.segment_of(i);
    if (segment.frozen() || !segment.has_gradients()) continue;
    segment.check_gradient(store.accumulated(), store.offset_of(i), store.info(i).shape.size(),
                           check.data());
    B::download(std::as_const(check).data(), std::span<FiniteCheck>(&found, 1));
    if (found.found_inf != 0) return store.info(i).name;
  }
  return {};
}

}  // namespace halfstep
