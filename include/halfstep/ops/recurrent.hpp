#pragma once

#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/ops/formulas_recurrent.hpp>
#include <halfstep/tensor/shape.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// One time step of a recurrent layer over a batch. Arrays are [batch, planes, hidden], where the
/// planes are a cell's gates, or the five numbers that it saves.
struct RecurrentStep {
  Index batch = 1;
  Index hidden = 1;
  Index time = 0;
  /// [batch], or a null pointer: the steps of each row; past them its state and output are 0.
  const std::int32_t* lengths = nullptr;

  HALFSTEP_HOST_DEVICE bool is_past(Index row) const {
    return lengths != nullptr && time >= lengths[row];
  }
};

/// The numbers that a cell saves for backward.
inline constexpr int recurrent_saved = 5;

inline namespace HALFSTEP_ISA {

/// Rows [first, last) of a step forward, on numbers or packets.
template <class Cell, class T, class Scalar>
struct RecurrentStepLoop {
  static constexpr bool compute_bound = true;
  static constexpr int gates = Cell::gates;
  RecurrentStep step;
  const Scalar* input_sums;
  const Scalar* hidden_sums;
  T* saved;  ///< or a null pointer
  Scalar* state;
  T* y;

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    for (Index row = first; row < last; ++row)
      for (Index i = 0; i < step.hidden; i += lanes<N>) one<N>(row, i);
  }
  /// Element i of a row, or the packet that begins there.
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void one(Index row, Index i) const {
    const auto count = static_cast<std::size_t>(step.hidden - i);
    const Index at = row * step.hidden + i;
    N now(0.0f), out(0.0f);
    if (!step.is_past(row)) {
      N x[gates], h[gates], kept[recurrent_saved];
      for (int gate = 0; gate < gates; ++gate) {
        const Index from = (row * gates + gate) * step.hidden + i;
        x[gate] = load_partial<N>(input_sums + from, count);
        h[gate] = load_partial<N>(hidden_sums + from, count);
      }
      now = load_partial<N>(static_cast<const Scalar*>(state) + at, count);
      Cell().forward(x, h, now, kept, out);
      for (int k = 0; saved != nullptr && k < recurrent_saved; ++k)
        store_partial(kept[k], saved + (row * recurrent_saved + k) * step.hidden + i, count);
    }
    store_partial(now, state + at, count);
    store_partial(out, y + at, count);
  }
};

/// Rows [first, last) of a step back.
template <class Cell, class T, class Scalar>
struct RecurrentStepBackwardLoop {
  static constexpr bool compute_bound = true;
  static constexpr int gates = Cell::gates;
  RecurrentStep step;
  const T* saved;
  const T* upstream;
  const Scalar* from_products;
  Scalar* to_state;
  T* to_input_sums;
  T* to_hidden_sums;  ///< the same array for a cell of one gradient

  template <class N>
  HALFSTEP_INLINE void operator()(Index first, Index last) const {
    for (Index row = first; row < last; ++row)
      for (Index i = 0; i < step.hidden; i += lanes<N>) one<N>(row, i);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void one(Index row, Index i) const {
    const auto count = static_cast<std::size_t>(step.hidden - i);
    const Index at = row * step.hidden + i;
    N x[gates], h[gates], to_now(0.0f);
    for (int gate = 0; gate < gates; ++gate) x[gate] = h[gate] = N(0.0f);
    if (!step.is_past(row)) {
      N kept[recurrent_saved];
      for (int k = 0; k < recurrent_saved; ++k)
        kept[k] = load_partial<N>(saved + (row * recurrent_saved + k) * step.hidden + i, count);
      to_now = load_partial<N>(static_cast<const Scalar*>(to_state) + at, count);
      const N to_y =
          load_partial<N>(upstream + at, count) + load_partial<N>(from_products + at, count);
      Cell().backward(kept, to_y, to_now, x, h);
    }
    store_partial(to_now, to_state + at, count);
    for (int gate = 0; gate < gates; ++gate) {
      const Index to = (row * gates + gate) * step.hidden + i;
      store_partial(x[gate], to_input_sums + to, count);
      if constexpr (!Cell::one_gradient) store_partial(h[gate], to_hidden_sums + to, count);
    }
  }
};

}  // namespace HALFSTEP_ISA
}  // namespace halfstep
