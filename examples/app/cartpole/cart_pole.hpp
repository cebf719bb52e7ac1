#pragma once

#include <halfstep/core/random.hpp>

#include <array>
#include <cmath>
#include <numbers>

namespace app {

/// A pole on a cart that is pushed to the left or the right, fifty times a second. (Barto, Sutton,
/// Anderson, "Neuronlike adaptive elements that can solve difficult learning control problems",
/// IEEE SMC 13(5), 1983, appendix, without friction)
class CartPole {
 public:
  static constexpr int longest = 500;  ///< steps of an episode: ten seconds

  /// position [m], velocity [m/s], angle from upright [rad], angular velocity [rad/s]
  using State = std::array<float, 4>;

  /// Almost upright and almost at rest.
  explicit CartPole(halfstep::RandomStream& random) {
    for (float& each : state_) each = 0.1f * random.uniform() - 0.05f;
  }

  /// Pushes with 10 N to the right (+1) or the left (-1) for 0.02 s: a step of Euler's method.
  void push(float direction) {
    constexpr float gravity = 9.8f, cart_mass = 1.0f, pole_mass = 0.1f, half_length = 0.5f;
    constexpr float mass = cart_mass + pole_mass, interval = 0.02f;
    auto& [position, velocity, angle, spin] = state_;
    const float sine = std::sin(angle), cosine = std::cos(angle);
    const float push = (10.0f * direction + pole_mass * half_length * spin * spin * sine) / mass;
    const float angular_acceleration =
        (gravity * sine - cosine * push) /
        (half_length * (4.0f / 3.0f - pole_mass * cosine * cosine / mass));
    const float acceleration =
        push - pole_mass * half_length * angular_acceleration * cosine / mass;
    position += interval * velocity;
    velocity += interval * acceleration;
    angle += interval * spin;
    spin += interval * angular_acceleration;
    ++steps_;
  }

  /// Off the track, or more than 12 degrees from upright.
  bool failed() const {
    constexpr float steepest = 12.0f * std::numbers::pi_v<float> / 180.0f;
    return std::abs(state_[0]) > 2.4f || std::abs(state_[2]) > steepest;
  }
  bool ended() const { return failed() || steps_ >= longest; }
  int steps() const { return steps_; }
  const State& state() const { return state_; }

 private:
  State state_{};
  int steps_ = 0;
};

}  // namespace app
