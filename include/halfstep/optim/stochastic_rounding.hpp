#pragma once

#include <halfstep/numeric/packet_random.hpp>
#include <halfstep/optim/direct.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// Random words for a pass that visits elements in order. Packets take them from the block of 64
/// that one Philox of packets made: a quarter of the work. The words are the same either way.
struct RandomWords {
  RandomSource source;
  mutable std::uint64_t block = ~std::uint64_t{0};
  mutable std::uint32_t words[random_block_elements] = {};

  template <Number N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE Bits<N> at(std::uint64_t index) const {
    if constexpr (PacketNumber<N>) {
      if (index / random_block_elements != block) {
        block = index / random_block_elements;
        for (int column = 0; column < 16; column += lanes<N>) {
          Bits<N> drawn[4];
          random_block<N>(source, block, column, drawn);
          for (int w = 0; w < 4; ++w)
            __builtin_memcpy(words + 16 * w + column, &drawn[w].v, sizeof(drawn[w].v));
        }
      }
      Bits<N> result;
      __builtin_memcpy(&result.v, words + index % random_block_elements, sizeof(result.v));
      return result;
    } else {
      return random_bits<N>(source, index);
    }
  }
};

/// Updates in FP32 and stores one of the two 16-bit neighbours, so that the expected weight is the
/// FP32 one. The random words depend on seed, attempted step, segment and element alone.
template <Rule R, class T>
struct StochasticPass {
  StepContext<R> context;

  struct Ready : PreparedRule<R> {
    static constexpr bool compute_bound = true;
    RandomWords random;
    HALFSTEP_HOST_DEVICE explicit Ready(const StepContext<R>& context)
        : PreparedRule<R>(context),
          // The upper half of a step's draws: layers take theirs from the lower one.
          random{{context.seed, static_cast<std::uint64_t>(*context.attempted) << 32 |
                                    (0x80000000u + context.segment)}} {}
    template <class N, class... M>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(Index first, const N& g, N& w,
                                                         M&... moments) const {
      this->update(g, w, moments...);
      w = stochastic_round<T>(w, random.template at<N>(static_cast<std::uint64_t>(first)));
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const { return Ready(context); }
};

/// 16-bit weights without masters, right on average: an update of a hundredth of an ulp moves the
/// weight by a whole one in one step of a hundred. The same seed gives the same bits for every
/// number of threads and instruction set that agree on the FP32 value.
///
/// Memory per parameter besides the weight: the moments.
template <Rule R>
struct StochasticRounding {
  using Rule = R;

  R rule;

  static constexpr autograd::Beside beside = autograd::Beside::nothing;

  template <class B, class T, class G, class... Moments>
  static void update(const StepContext<R>& context, autograd::Segment<T, B>& segment,
                     In<G> gradients, Moments... moments) {
    if constexpr (numeric_traits<T>::is_16_bit) {
      B::for_each_element(segment.size(), StochasticPass<R, T>{context}, gradients,
                          in_out(segment.values().view()), moments...);
    } else {
      update_directly<B>(context, segment, gradients, moments...);
    }
  }
};
template <Rule R>
StochasticRounding(R) -> StochasticRounding<R>;

}  // namespace halfstep
