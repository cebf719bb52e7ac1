#pragma once

#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/variable.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// Runs a layer's `body` under the layer's own precision: its input is cast to the layer's
/// Activation type where its model has another one, and its output is cast back, unless the layer's
/// Setup says `keep_output`. Autograd knows both casts.
template <class Setup, class S, class B, class Body>
auto through_edge(const Variable<S, B>& x, const Body& body) {
  if constexpr (std::same_as<S, typename Setup::Activation>)
    return body(x);
  else if constexpr (Setup::keeps_output)
    return body(cast<typename Setup::Activation>(x));
  else
    return cast<S>(body(cast<typename Setup::Activation>(x)));
}

/// A parameter in the type that the layer computes with; one that is not there stays empty.
template <class Activation, class S, class B>
Variable<Activation, B> as_activation(const Variable<S, B>& parameter) {
  if (parameter.value().empty()) return {};
  if constexpr (std::same_as<S, Activation>)
    return parameter;
  else
    return cast<Activation>(parameter);
}

}  // namespace halfstep
