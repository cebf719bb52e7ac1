#pragma once

#include <halfstep/optim/direct.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// A wrapper around a rule says which numbers a step runs on and how the result is stored, for each
/// storage type of parameters:
///
///   using Rule;  Rule rule;
///   static constexpr autograd::Beside beside    what is kept beside 16-bit weights; a wrapper
///                                               without it takes 32-bit weights only
///   static void update<B>(const StepContext<Rule>&, Segment&, In<G> gradients,
///                         InOut<M>... moments)
template <class W>
concept UpdateWrapper = requires(const W& wrapper) {
  typename W::Rule;
  requires Rule<typename W::Rule>;
  { wrapper.rule } -> std::convertible_to<typename W::Rule>;
};

/// A bare rule means Direct.
template <class W>
struct WrapperOf {
  using type = Direct<W>;
};
template <UpdateWrapper W>
struct WrapperOf<W> {
  using type = W;
};

/// The same wrapper around another rule.
template <class W, class R>
struct Rewrapped;
template <template <class> class W, class Old, class R>
struct Rewrapped<W<Old>, R> {
  using type = W<R>;
};

/// Whether small updates survive: 32-bit parameters, or a wrapper that is not Direct.
template <class W, class Setup>
inline constexpr bool updates_survive =
    !numeric_traits<typename Setup::Parameter>::is_16_bit ||
    !std::same_as<typename WrapperOf<W>::type, Direct<typename WrapperOf<W>::type::Rule>>;

template <class G>
struct TokenTraits {
  static constexpr bool is_token = false;
  static constexpr bool is_scaled = false;
};
template <class State, class Setup>
struct TokenTraits<Gradients<State, Setup>> {
  static constexpr bool is_token = true;
  static constexpr bool is_scaled = std::same_as<State, Scaled>;
};

/// Refuses, in a sentence, what the named call does not take.
template <class G>
constexpr void refuse_gradients() {
  using Traits = TokenTraits<std::remove_cvref_t<G>>;
  constexpr bool scaled = Traits::is_scaled;
  static_assert(!scaled,
                "halfstep: these gradients still carry the loss scale; unscale them first: "
                "scaler.unscale(std::move(gradients))");
  static_assert(scaled || !Traits::is_token || !std::is_lvalue_reference_v<G>,
                "halfstep: a step uses its gradients up; hand them over: "
                "step(std::move(gradients))");
  static_assert(Traits::is_token,
                "halfstep: a step takes the Gradients that backward returned for the same Setup");
}

}  // namespace halfstep
