#pragma once

#include <halfstep/optim/direct.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// Updates the FP32 master and stores it, rounded, as the weight that products read.
template <Rule R>
struct MasterPass {
  StepContext<R> context;

  struct Ready : PreparedRule<R> {
    using PreparedRule<R>::PreparedRule;
    template <class N, class... M>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& g, N& master, N& weight,
                                                         M&... moments) const {
      this->update(g, master, moments...);
      weight = master;
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const { return Ready(context); }
};

/// 16-bit weights with an FP32 master beside each (Micikevicius et al., arXiv 1710.03740, section
/// 3.1): updates far below half an ulp of the stored weight add up in the master.
///
/// Memory per parameter besides the weight: 4 bytes and the moments.
/// @numerics  the update in FP32, one rounding at the store of the weight
template <Rule R>
struct MasterWeights {
  using Rule = R;

  R rule;

  /// The masters start from the FP32 initialiser; where an optimizer without masters came before,
  /// from the weights, which are then all there is.
  static constexpr autograd::Beside beside = autograd::Beside::master;

  template <class B, class T, class G, class... Moments>
  static void update(const StepContext<R>& context, autograd::Segment<T, B>& segment,
                     In<G> gradients, Moments... moments) {
    if constexpr (numeric_traits<T>::is_16_bit) {
      B::for_each_element(segment.size(), MasterPass<R>{context}, gradients,
                          in_out(segment.masters().view()), out(segment.values().view()),
                          moments...);
    } else {
      update_directly<B>(context, segment, gradients, moments...);
    }
  }
};
template <Rule R>
MasterWeights(R) -> MasterWeights<R>;

}  // namespace halfstep
