#pragma once

#include <halfstep/numeric/packet_math.hpp>

namespace halfstep::inline HALFSTEP_ABI::formulas {

// One step of a recurrent layer for one hidden element, forward and back. `x` and `h` are what the
// products of the input and of the hidden state before give its gates, biases included. `saved` is
// what backward needs; `upstream` is the gradient of y, `state` and its gradient go from step to
// step.

/// Long short-term memory (Hochreiter, Schmidhuber, 1997) with gates in the order i, f, g, o:
///   c = f c' + i g, y = o tanh(c), where i, f, o are sigmoids and g is a tanh of x + h.
struct LstmCell {
  static constexpr bool compute_bound = true;
  static constexpr int gates = 4;
  /// Whether what goes to the hidden product's sums is what goes to the input's.
  static constexpr bool one_gradient = true;

  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void forward(const N (&x)[4], const N (&h)[4], N& state,
                                                    N (&saved)[5], N& y) const {
    saved[0] = sigmoid(x[0] + h[0]);
    saved[1] = sigmoid(x[1] + h[1]);
    saved[2] = tanh(x[2] + h[2]);
    saved[3] = sigmoid(x[3] + h[3]);
    saved[4] = state;
    state = fma(saved[1], state, saved[0] * saved[2]);
    y = saved[3] * tanh(state);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void backward(const N (&saved)[5], const N& upstream,
                                                     N& to_state, N (&to_x)[4], N (&)[4]) const {
    const N one(1.0f);
    const N &i = saved[0], &f = saved[1], &g = saved[2], &o = saved[3], &before = saved[4];
    const N cell = tanh(fma(f, before, i * g));
    const N to_cell = to_state + upstream * o * (one - cell * cell);
    to_x[0] = to_cell * g * i * (one - i);
    to_x[1] = to_cell * before * f * (one - f);
    to_x[2] = to_cell * i * (one - g * g);
    to_x[3] = upstream * cell * o * (one - o);
    to_state = to_cell * f;
  }
};

/// The gated recurrent unit (Cho et al., arXiv 1406.1078) with gates in the order r, z, n:
///   y = (1 - z) n + z y', where r, z are sigmoids of x + h and n = tanh(x + r h).
struct GruCell {
  static constexpr bool compute_bound = true;
  static constexpr int gates = 3;
  static constexpr bool one_gradient = false;

  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void forward(const N (&x)[3], const N (&h)[3], N& state,
                                                    N (&saved)[5], N& y) const {
    saved[0] = sigmoid(x[0] + h[0]);
    saved[1] = sigmoid(x[1] + h[1]);
    saved[2] = tanh(fma(saved[0], h[2], x[2]));
    saved[3] = h[2];
    saved[4] = state;
    state = fma(saved[1], state - saved[2], saved[2]);
    y = state;
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void backward(const N (&saved)[5], const N& upstream,
                                                     N& to_state, N (&to_x)[3],
                                                     N (&to_h)[3]) const {
    const N one(1.0f);
    const N &r = saved[0], &z = saved[1], &n = saved[2], &hidden = saved[3], &before = saved[4];
    const N to_y = to_state + upstream;
    to_x[2] = to_y * (one - z) * (one - n * n);
    to_x[1] = to_y * (before - n) * z * (one - z);
    to_x[0] = to_x[2] * hidden * r * (one - r);
    to_h[0] = to_x[0];
    to_h[1] = to_x[1];
    to_h[2] = to_x[2] * r;
    to_state = to_y * z;
  }
};

}  // namespace halfstep
