#pragma once

#include <halfstep/halfstep.hpp>

namespace app {

/// What to do in a state, and what it is worth: two layers of 64 that both share.
template <class Setup>
class ActorCritic : public halfstep::nn::Module<Setup> {
  // The two numbers stay in FP32: an advantage is a small difference of large values.
  using Full = typename Setup::template with<halfstep::Fp32, halfstep::keep_output>;

 public:
  /// @param states  [batch, 4]
  /// @return  [batch, 2] in FP32: the logit of pushing to the right, and the value
  auto operator()(const halfstep::nn::Input<Setup>& states) const {
    return out_(halfstep::tanh(second_(halfstep::tanh(first_(states)))));
  }

 private:
  halfstep::nn::Linear<Setup> first_{*this, "first", 4, 64};
  halfstep::nn::Linear<Setup> second_{*this, "second", 64, 64};
  halfstep::nn::Linear<Full> out_{*this, "out", 64, 2};
};

/// Some of what was done, all [batch, 1] but the states.
template <class Setup>
struct ExperienceBatch {
  using Column = halfstep::Variable<float, typename Setup::Backend>;
  halfstep::nn::Input<Setup> states;  ///< [batch, 4]
  Column push;                        ///< +1 or -1
  Column log_probability;             ///< of the push, as it was when it was chosen
  Column advantage;
  Column worth;  ///< what the value should have been
};

/// Proximal policy optimization (Schulman et al., arXiv 1707.06347, equations 7 and 9):
///   -mean min(r A, clamp(r, 0.8, 1.2) A) + mean (value - worth)^2 - 0.01 entropy,
/// with r the push's probability now over its probability then.
inline constexpr auto ppo_loss = [](const auto& model, const auto& batch) {
  using namespace halfstep;
  const auto out = model(batch.states);
  const auto logit = slice(out, 1, 0, 1), value = slice(out, 1, 1, 1);
  // The probability of a push p is sigmoid(p logit), and its logarithm -softplus(-p logit).
  const auto ratio = exp(-softplus(-(batch.push * logit)) - batch.log_probability);
  const auto gain = min(ratio * batch.advantage, clamp(ratio, 0.8, 1.2) * batch.advantage);
  const auto entropy = softplus(logit) - logit * sigmoid(logit);
  return mse_loss(value, batch.worth) - mean(gain + 0.01 * entropy);
};

}  // namespace app
