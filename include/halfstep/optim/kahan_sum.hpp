#pragma once

#include <halfstep/optim/two_part_pass.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// 16-bit weights with what rounding took from each, in the same type: compensated summation of
/// the updates (Kahan, CACM 1965; for training Zamirai et al., arXiv 2010.06192, section 4.2).
///
/// Memory per parameter besides the weight: 2 bytes and the moments.
/// @numerics  the update in FP32 on weight + compensation; each is rounded to nearest at its store.
///            An update survives down to half an ulp of the compensation: about 2^-16 of the weight
///            in bfloat16, 2^-22 in float16, where 2^-24 bounds it
template <Rule R>
struct KahanSum {
  using Rule = R;

  R rule;

  static constexpr autograd::Beside beside = autograd::Beside::compensation;

  template <class B, class T, class G, class... Moments>
  static void update(const StepContext<R>& context, autograd::Segment<T, B>& segment,
                     In<G> gradients, Moments... moments) {
    if constexpr (numeric_traits<T>::is_16_bit) {
      update_two_parts<CompensatedParts<T>, B>(context, segment, segment.compensations(), gradients,
                                               moments...);
    } else {
      update_directly<B>(context, segment, gradients, moments...);
    }
  }
};
template <Rule R>
KahanSum(R) -> KahanSum<R>;

}  // namespace halfstep
