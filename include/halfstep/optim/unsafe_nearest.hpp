#pragma once

#include <halfstep/optim/direct.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// 16-bit weights without masters, rounded to nearest. An update below half an ulp of its weight is
/// lost, however often it comes: the name says so. For comparison, and for the paper's ablations.
template <Rule R>
struct UnsafeNearest {
  using Rule = R;

  R rule;

  static constexpr autograd::Beside beside = autograd::Beside::nothing;

  template <class B, class T, class G, class... Moments>
  static void update(const StepContext<R>& context, autograd::Segment<T, B>& segment,
                     In<G> gradients, Moments... moments) {
    update_directly<B>(context, segment, gradients, moments...);
  }
};
template <Rule R>
UnsafeNearest(R) -> UnsafeNearest<R>;

}  // namespace halfstep
