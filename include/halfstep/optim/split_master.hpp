#pragma once

#include <halfstep/optim/two_part_pass.hpp>

#include <cmath>
#include <string>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// 16-bit weights with 16 bits beside each that make it an FP32 master: MasterWeights' updates in
/// half of its memory. The weight is the master's upper part, so it needs no writing twice.
///
/// Memory per parameter besides the weight: 2 bytes and the moments.
/// @numerics  the weight is the master rounded with ties away from zero. bfloat16: every master is
///            kept to the bit. float16: to the bit from 2^-17 up, in multiples of 2^-40 below; a
///            master of 65520 or more has no place: the optimizer throws PrecisionError with the
///            parameter's name
template <Rule R>
struct SplitMaster {
  using Rule = R;

  R rule;

  static constexpr autograd::Beside beside = autograd::Beside::remainder;
  /// @throws PrecisionError  a float16 parameter has a value that has no place
  template <class Setup>
  static void require_range(const Parameters<Setup>& parameters) {
    const std::string name = first_beyond(parameters, RemainderParts<float16>::limit);
    if (!name.empty())
      fail<PrecisionError>("SplitMaster: parameter '", name, "' has a value beyond float16's ",
                           "range; keep it within 65504, or wrap the rule in MasterWeights");
  }
  /// Says which parameter left the range; its masters are at the limit now.
  template <class Setup>
  [[noreturn]] static void fail_out_of_range(const Parameters<Setup>& parameters) {
    const float below = std::nextafter(RemainderParts<float16>::limit, 0.0f);
    fail<PrecisionError>("SplitMaster: a master of parameter '", first_beyond(parameters, below),
                         "' left float16's range and was held at its end; lower the learning ",
                         "rate, add weight decay, or wrap the rule in MasterWeights");
  }

  template <class B, class T, class G, class... Moments>
  static void update(const StepContext<R>& context, autograd::Segment<T, B>& segment,
                     In<G> gradients, Moments... moments) {
    if constexpr (numeric_traits<T>::is_16_bit) {
      update_two_parts<RemainderParts<T>, B>(context, segment, segment.remainders(), gradients,
                                             moments...);
    } else {
      update_directly<B>(context, segment, gradients, moments...);
    }
  }

 private:
  /// The name of the first float16 parameter with a magnitude above `limit`; empty where none has.
  template <class Setup>
  static std::string first_beyond(const Parameters<Setup>& parameters, float limit) {
    auto& store = *parameters.store();
    for (std::size_t i = 0; i < store.count(); ++i) {
      const ParameterInfo& info = store.info(i);
      if (info.storage != numeric_traits<float16>::name || !parameters.has_group(info.group))
        continue;
      for (const float value : store.read(i))
        if (!(std::fabs(value) <= limit)) return info.name;
    }
    return {};
  }
};
template <Rule R>
SplitMaster(R) -> SplitMaster<R>;

}  // namespace halfstep
