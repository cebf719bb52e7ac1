#pragma once

#include <app/cartpole/cart_pole.hpp>
#include <app/cartpole/policy.hpp>
#include <app/upload.hpp>

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace app {

/// What acting came to: a row for each step of each cart, in rounds of all carts.
struct Experience {
  std::vector<float> states;           ///< [rows, 4], in which a push was chosen
  std::vector<float> next_states;      ///< [rows, 4], to which it led
  std::vector<float> push;             ///< +1 or -1
  std::vector<float> log_probability;  ///< of that push
  std::vector<float> value;            ///< of the state
  std::vector<bool> failed, ended;     ///< whether the episode did, with this push
  std::vector<float> advantage, worth;

  std::size_t rows() const { return push.size(); }
};

/// A few carts that are driven at once. Those whose episode ends start another one.
class Carts {
 public:
  Carts(std::size_t count, halfstep::RandomStream& random) : random_(random) {
    for (std::size_t i = 0; i < count; ++i) carts_.emplace_back(random);
  }

  /// So many rounds, with pushes drawn from the policy.
  template <class Model>
  Experience drive(const halfstep::Predictor<Model>& predict, std::int64_t rounds) {
    Experience experience;
    for (std::int64_t round = 0; round < rounds; ++round) {
      const std::vector<float> answers = ask(predict);
      for (std::size_t i = 0; i < carts_.size(); ++i) {
        CartPole& cart = carts_[i];
        const float logit = answers[2 * i];
        const float push = random_.uniform() * (1.0f + std::exp(-logit)) < 1.0f ? 1.0f : -1.0f;
        append(experience.states, cart.state());
        experience.push.push_back(push);
        experience.log_probability.push_back(-std::log1p(std::exp(-push * logit)));
        experience.value.push_back(answers[2 * i + 1]);
        cart.push(push);
        append(experience.next_states, cart.state());
        experience.failed.push_back(cart.failed());
        experience.ended.push_back(cart.ended());
        if (cart.ended()) cart = CartPole(random_);
      }
    }
    return experience;
  }

  /// The mean length of one episode of each cart, with the likelier push in every state.
  template <class Model>
  double mean_episode(const halfstep::Predictor<Model>& predict) {
    for (int round = 0; round < CartPole::longest; ++round) {
      const std::vector<float> answers = ask(predict);
      for (std::size_t i = 0; i < carts_.size(); ++i)
        if (!carts_[i].ended()) carts_[i].push(answers[2 * i] > 0.0f ? 1.0f : -1.0f);
    }
    double steps = 0.0;
    for (const CartPole& cart : carts_) steps += cart.steps();
    return steps / static_cast<double>(carts_.size());
  }

 private:
  static void append(std::vector<float>& to, const CartPole::State& state) {
    to.insert(to.end(), state.begin(), state.end());
  }
  /// The model's logits and values for all carts: [carts, 2].
  template <class Model>
  std::vector<float> ask(const halfstep::Predictor<Model>& predict) const {
    std::vector<float> states, answers(2 * carts_.size());
    for (const CartPole& cart : carts_) append(states, cart.state());
    predict(states, {static_cast<halfstep::Index>(carts_.size()), 4}, answers);
    return answers;
  }

  std::vector<CartPole> carts_;
  halfstep::RandomStream& random_;
};

/// Fills in how much better each push was than what the model expected, and what its state was
/// worth: generalized advantage estimation (Schulman et al., arXiv 1506.02438, equation 16),
///   d = reward + 0.99 value(next) - value,   A = d + 0.99 * 0.95 A(next step),
/// where a step is rewarded with 0.01, so that a value is at most 1. What fails is worth nothing
/// afterwards; an episode that only ran out of time would have gone on.
template <class Model>
void judge(Experience& experience, const halfstep::Predictor<Model>& predict, std::size_t carts) {
  constexpr float reward = 0.01f, discount = 0.99f, decay = 0.95f;
  const std::size_t rows = experience.rows();
  std::vector<float> answers(2 * rows);
  predict(experience.next_states, {static_cast<halfstep::Index>(rows), 4}, answers);
  experience.advantage.resize(rows);
  experience.worth.resize(rows);
  for (std::size_t row = rows; row-- > 0;) {
    const float next = experience.failed[row] ? 0.0f : answers[2 * row + 1];
    const bool goes_on = !experience.ended[row] && row + carts < rows;
    experience.advantage[row] =
        reward + discount * next - experience.value[row] +
        (goes_on ? discount * decay * experience.advantage[row + carts] : 0.0f);
    experience.worth[row] = experience.advantage[row] + experience.value[row];
  }
}

/// Some rows of what was done. Their advantages have mean 0 and deviation 1.
template <class Setup>
ExperienceBatch<Setup> experience_batch(const Experience& experience,
                                        std::span<const std::size_t> rows) {
  using Backend = typename Setup::Backend;
  const auto count = static_cast<halfstep::Index>(rows.size());
  std::vector<float> states;
  for (const std::size_t row : rows)
    states.insert(states.end(), &experience.states[4 * row], &experience.states[4 * row] + 4);
  const auto chosen = [&](const std::vector<float>& all) {
    std::vector<float> some;
    for (const std::size_t row : rows) some.push_back(all[row]);
    return some;
  };
  const auto column = [&](const std::vector<float>& numbers) {
    return uploaded<Backend>(std::span<const float>(numbers), {count, 1});
  };
  std::vector<float> advantage = chosen(experience.advantage);
  float mean = 0.0f, squares = 0.0f;
  for (const float each : advantage) mean += each / static_cast<float>(count);
  for (const float each : advantage)
    squares += (each - mean) * (each - mean) / static_cast<float>(count);
  for (float& each : advantage) each = (each - mean) / (std::sqrt(squares) + 1e-6f);
  return {model_input<Setup>(states, {count, 4}), column(chosen(experience.push)),
          column(chosen(experience.log_probability)), column(advantage),
          column(chosen(experience.worth))};
}

}  // namespace app
