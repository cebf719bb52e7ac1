#pragma once

#include "support/tracked.hpp"

#include <halfstep/optim/adagrad.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/lion.hpp>
#include <halfstep/optim/rmsprop.hpp>
#include <halfstep/optim/sgd.hpp>

#include <cmath>

namespace halfstep::test {

// The rules once more, one weight at a time, written from their definitions and from nothing of the
// library's but the settings. N is double, or Tracked for bounds on what FP32 may give.

inline double sign(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0; }

template <class N, class Rule>
struct Textbook;

template <class N>
struct Textbook<N, optim::SGD> {
  optim::SGD s;
  N buffer{};

  void step(int t, const N& gradient, N& w) {
    N d = gradient + N(s.weight_decay) * w;
    if (s.momentum != 0.0) {
      buffer = t == 1 ? d : N(s.momentum) * buffer + N(1.0 - s.dampening) * d;
      d = s.nesterov ? d + N(s.momentum) * buffer : buffer;
    }
    w = w - N(s.learning_rate) * d;
  }
};

template <class N, class Rule>
struct TextbookAdam {
  Rule s;
  N m{}, v{};

  void moments_and_step(int t, const N& d, N& w) {
    using std::sqrt;
    m = N(s.beta1) * m + N(1.0 - s.beta1) * d;
    v = N(s.beta2) * v + N(1.0 - s.beta2) * (d * d);
    const N root = sqrt(v) * N(1.0 / std::sqrt(1.0 - std::pow(s.beta2, t)));
    w = w - N(s.learning_rate / (1.0 - std::pow(s.beta1, t))) * (m / (root + N(s.epsilon)));
  }
};
template <class N>
struct Textbook<N, optim::Adam> : TextbookAdam<N, optim::Adam> {
  void step(int t, const N& gradient, N& w) {
    this->moments_and_step(t, gradient + N(this->s.weight_decay) * w, w);
  }
};
template <class N>
struct Textbook<N, optim::AdamW> : TextbookAdam<N, optim::AdamW> {
  void step(int t, const N& gradient, N& w) {
    w = N(1.0 - this->s.learning_rate * this->s.weight_decay) * w;
    this->moments_and_step(t, gradient, w);
  }
};

template <class N>
struct Textbook<N, optim::RMSprop> {
  optim::RMSprop s;
  N average{}, buffer{};

  void step(int, const N& gradient, N& w) {
    using std::sqrt;
    const N d = gradient + N(s.weight_decay) * w;
    average = N(s.alpha) * average + N(1.0 - s.alpha) * (d * d);
    const N move = d / (sqrt(average) + N(s.epsilon));
    buffer = s.momentum > 0.0 ? N(s.momentum) * buffer + move : move;
    w = w - N(s.learning_rate) * buffer;
  }
};

template <class N>
struct Textbook<N, optim::Adagrad> {
  optim::Adagrad s;
  N sum{};

  void step(int t, const N& gradient, N& w) {
    using std::sqrt;
    const N d = gradient + N(s.weight_decay) * w;
    if (t == 1) sum = N(s.initial_sum);
    sum = sum + d * d;
    w = w - N(s.learning_rate / (1.0 + (t - 1) * s.rate_decay)) * (d / (sqrt(sum) + N(s.epsilon)));
  }
};

template <class N>
struct Textbook<N, optim::Lion> {
  optim::Lion s;
  N m{};

  void step(int, const N& gradient, N& w) {
    const N direction = N(s.beta1) * m + N(1.0 - s.beta1) * gradient;
    w = N(1.0 - s.learning_rate * s.weight_decay) * w - N(s.learning_rate) * sign(direction);
    m = N(s.beta2) * m + N(1.0 - s.beta2) * gradient;
  }
};

}  // namespace halfstep::test
