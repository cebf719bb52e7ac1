#pragma once

#include <halfstep/optim/update_pass.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// The stored weight is the weight.
template <Rule R>
struct DirectPass {
  StepContext<R> context;

  struct Ready : PreparedRule<R> {
    using PreparedRule<R>::PreparedRule;
    template <class N, class... M>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& g, N& w, M&... moments) const {
      this->update(g, w, moments...);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const { return Ready(context); }
};

template <class B, Rule R, class T, class G, class... Moments>
void update_directly(const StepContext<R>& context, autograd::Segment<T, B>& segment,
                     In<G> gradients, Moments... moments) {
  B::for_each_element(segment.size(), DirectPass<R>{context}, gradients,
                      in_out(segment.values().view()), moments...);
}

/// FP32 (or FP64) parameters, updated as they are; what a bare rule means on them. 16-bit
/// parameters are refused, for most of their updates would be smaller than half an ulp and lost.
template <Rule R>
struct Direct {
  using Rule = R;

  R rule;

  template <class B, class T, class G, class... Moments>
  static void update(const StepContext<R>& context, autograd::Segment<T, B>& segment,
                     In<G> gradients, Moments... moments) {
    // An optimizer has refused the others.
    if constexpr (!numeric_traits<T>::is_16_bit)
      update_directly<B>(context, segment, gradients, moments...);
  }
};
template <Rule R>
Direct(R) -> Direct<R>;

}  // namespace halfstep
