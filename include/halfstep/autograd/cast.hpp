#pragma once

#include <halfstep/autograd/gradient_flow.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// x stored as `To`; the gradient goes back in x's own type. The same type costs nothing.
/// @numerics  each element is rounded once, to nearest even
template <class To, class S, class B>
Variable<To, B> cast(const Variable<S, B>& x) {
  if constexpr (std::is_same_v<To, S>) {
    return x;
  } else {
    autograd::require_elements("cast", x);
    const bool wanted = autograd::recorded("cast", x);
    TensorOf<To, B> y(x.shape());
    B::for_each_element(x.size(), ValuePass<formulas::Identity>{}, out(y.view()),
                        in(x.value().read()));
    if (!wanted) return autograd::unrecorded<B, To>("cast", std::move(y), x);
    return autograd::record<B, To>(
        "cast", std::move(y),
        [](const TensorOf<To, B>& g, autograd::Slot<S, B>* slot) {
          const auto to = slot->destination();
          if (to.accumulate)
            B::for_each_element(g.size(), autograd::Add{}, in_out(to.view), in(g.view()));
          else
            B::for_each_element(g.size(), ValuePass<formulas::Identity>{}, out(to.view),
                                in(g.view()));
        },
        x);
  }
}

/// x as a constant: what is computed from it takes no gradient to what it came from.
template <class S, class B>
Variable<S, B> detach(const Variable<S, B>& x) {
  return x.value();
}

}  // namespace halfstep
