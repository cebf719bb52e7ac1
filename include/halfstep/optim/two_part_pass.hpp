#pragma once

#include <halfstep/core/flag.hpp>
#include <halfstep/numeric/two_parts.hpp>
#include <halfstep/optim/direct.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// Puts the FP32 value together from a weight and its rest, updates it, and takes it apart again.
template <Rule R, class Parts>
struct TwoPartPass {
  StepContext<R> context;

  struct Ready : PreparedRule<R> {
    static constexpr bool compute_bound = true;
    std::int32_t* out_of_range;
    HALFSTEP_HOST_DEVICE explicit Ready(const StepContext<R>& context)
        : PreparedRule<R>(context), out_of_range(context.out_of_range) {}
    template <class N, class... M>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& g, N& weight, N& rest,
                                                         M&... moments) const {
      N full = Parts::join(weight, rest);
      this->update(g, full, moments...);
      [[maybe_unused]] const auto beyond = Parts::split(full, weight, rest);
      if constexpr (Parts::has_limit) {
        if (__builtin_expect(any(beyond), 0)) raise(out_of_range);
      }
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const { return Ready(context); }
};

/// Runs the pass over a segment whose weights have `rests` beside them.
template <class Parts, class B, Rule R, class T, class Rest, class G, class... Moments>
void update_two_parts(const StepContext<R>& context, autograd::Segment<T, B>& segment,
                      TensorOf<Rest, B>& rests, In<G> gradients, Moments... moments) {
  B::for_each_element(segment.size(), TwoPartPass<R, Parts>{context}, gradients,
                      in_out(segment.values().view()), in_out(rests.view()), moments...);
}

}  // namespace halfstep
