#pragma once

#include <halfstep/autograd/gradient_flow.hpp>
#include <halfstep/numeric/packet_random.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// Where a dropout's mask comes from: it depends on these and on an element's place alone, so that
/// backward draws it again instead of storing it.
struct DropoutKey {
  std::uint64_t seed = 0;
  /// Tells the draws within a step apart.
  std::uint32_t draw = 0;
  /// The count of steps, where the step runs; a null pointer counts as 0. It must not change
  /// between forward and backward.
  const std::int64_t* step = nullptr;
};

namespace formulas {

/// y = x / (1 - p) with probability 1 - p, else 0.
struct Drop {
  double probability;
  DropoutKey key;

  struct Ready {
    static constexpr bool compute_bound = true;
    RandomSource source;
    float probability;
    double scale;
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(Index first, N& y, const N& x) const {
      const Bits<N> word = random_bits<N>(source, static_cast<std::uint64_t>(first));
      const N draw = uniform01<N>(word);
      y = select(draw < N(probability), constant<N>(0.0), constant<N>(scale) * x);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const {
    const auto step = static_cast<std::uint64_t>(key.step == nullptr ? 0 : *key.step);
    return {{key.seed, (step << 32) + key.draw},
            static_cast<float>(probability),
            1.0 / (1.0 - probability)};
  }
};

}  // namespace formulas

/// Zeroes each element with probability p and divides the others by 1 - p, so that the expected
/// value stays.
///
/// @throws UsageError  p is not in [0, 1)
/// @numerics  the mask has the same bits on every backend, for every number of threads
template <class S, class B>
Variable<S, B> dropout(const Variable<S, B>& x, double p, const DropoutKey& key) {
  if (!(p >= 0.0 && p < 1.0)) fail<UsageError>("dropout: the probability ", p, " is not in [0, 1)");
  autograd::require_elements("dropout", x);
  if (p == 0.0) return x;
  const bool wanted = autograd::recorded("dropout", x);
  const formulas::Drop drop{p, key};
  TensorOf<S, B> y(x.shape());
  B::for_each_element(x.size(), drop, out(y.view()), in(x.value().read()));
  if (!wanted) return autograd::unrecorded<B, S>("dropout", std::move(y), x);
  return autograd::record<B, S>(
      "dropout", std::move(y),
      [drop](TensorOf<S, B> g, autograd::Slot<S, B>* slot) {
        autograd::contribute<S, B>(*slot, g.shape(), &g, drop, g);
      },
      x);
}

}  // namespace halfstep
