#pragma once

#include <halfstep/autograd/matmul.hpp>
#include <halfstep/autograd/of_layer.hpp>
#include <halfstep/ops/recurrent.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// What a recurrent operation may do otherwise.
template <class B>
struct RecurrentSettings {
  /// Goes through time backwards, from each sequence's own end.
  bool reverse = false;
  /// [batch]: the steps of each padded sequence; empty: all of them.
  TensorOf<std::int32_t, B> lengths = {};
};

namespace autograd {

/// @throws ShapeError, DataError  the lengths do not fit; their values only where the host can see
/// them
template <class B>
void check_lengths(const char* name, const TensorOf<std::int32_t, B>& lengths, Index batch,
                   Index time) {
  if (lengths.empty()) return;
  if (lengths.shape() != Shape{batch})
    fail<ShapeError>(OfLayer{name}, ": the lengths ", lengths.shape(), " must be [", batch,
                     "], one for each sequence of the batch");
  if constexpr (B::DeviceType::host_accessible) {
    const std::int32_t* length = lengths.data();
    for (Index row = 0; row < batch; ++row)
      if (length[row] < 1 || length[row] > time)
        fail<DataError>(OfLayer{name}, ": the length ", length[row], " of sequence ", row,
                        " is not within [1, ", time, "], the padded time of the batch");
  }
}

/// [batch, time, width] as [time, batch, width], or back where the extents are given so.
template <class S, class B>
void swap_batch_and_time(Index first, Index second, Index width, const S* from, S* to,
                         bool accumulate = false) {
  StridedCopy copy{.extents = Shape{second, first, width}, .accumulate = accumulate};
  copy.from_strides = {width, second * width, 1};
  copy.to_strides = {first * width, width, 1};
  B::strided_copy(copy, from, to);
}

/// The extents of a recurrent layer, once they are checked.
struct RecurrentExtents {
  Index batch, time, in, hidden, sums;
  Index rows() const { return time * batch; }
  template <class B>
  RecurrentStep step(const TensorOf<std::int32_t, B>& lengths) const {
    return {.batch = batch,
            .hidden = hidden,
            .lengths = lengths.empty() ? nullptr : lengths.read().data()};
  }
};

template <class S, class B>
RecurrentExtents recurrent_extents(const char* name, Index gates, const Variable<S, B>& x,
                                   const Variable<S, B>& input_weight,
                                   const Variable<S, B>& hidden_weight,
                                   const Variable<S, B>& input_bias,
                                   const Variable<S, B>& hidden_bias) {
  require_elements(name, x, input_weight, hidden_weight);
  const Shape& hidden = hidden_weight.shape();
  if (hidden.rank() != 2 || hidden[0] != gates * hidden[1])
    fail<ShapeError>(OfLayer{name}, ": the hidden weight ", described(hidden_weight), " must be [",
                     gates, " hidden, hidden]");
  const Shape& input = input_weight.shape();
  if (input.rank() != 2 || input[0] != hidden[0])
    fail<ShapeError>(OfLayer{name}, ": the input weight ", described(input_weight), " must be [",
                     hidden[0], ", in] beside the hidden weight ", hidden);
  if (x.shape().rank() != 3 || x.shape()[2] != input[1])
    fail<ShapeError>(OfLayer{name}, ": x ", described(x), " must be [batch, time, ", input[1],
                     "] for the input weight ", input);
  require_parameter(name, "input bias", input_bias, Shape{hidden[0]});
  require_parameter(name, "hidden bias", hidden_bias, Shape{hidden[0]});
  return {x.shape()[0], x.shape()[1], input[1], hidden[1], hidden[0]};
}

/// A recurrent layer of one direction, from a state of 0.
template <class Compute, class Cell, class S, class B>
Variable<S, B> recurrent(const char* name, const Variable<S, B>& x,
                         const Variable<S, B>& input_weight, const Variable<S, B>& hidden_weight,
                         const Variable<S, B>& input_bias, const Variable<S, B>& hidden_bias,
                         const RecurrentSettings<B>& settings) {
  using Sum = ProductCompute<Compute, S>;
  using T = typename numeric_traits<S>::compute;
  const bool wanted = recorded(name, x, input_weight, hidden_weight, input_bias, hidden_bias);
  const RecurrentExtents e =
      recurrent_extents(name, Cell::gates, x, input_weight, hidden_weight, input_bias, hidden_bias);
  check_lengths<B>(name, settings.lengths, e.batch, e.time);
  const auto zeros = []<class Stored>(std::type_identity<Stored>, const Shape& shape) {
    TensorOf<Stored, B> tensor(shape);
    B::clear(tensor.size(), tensor.data());
    return tensor;
  };
  const Shape state_shape{e.batch, e.hidden};

  // All that the input gives to the gates of all steps is one product.
  TensorOf<S, B> by_time(Shape{e.time, e.batch, e.in});
  swap_batch_and_time<S, B>(e.batch, e.time, e.in, x.value().data(), by_time.data());
  TensorOf<T, B> input_sums(Shape{e.time, e.batch, e.sums}), hidden_sums({e.batch, e.sums});
  B::template gemm<Sum>(GemmProblem{.m = e.rows(), .n = e.sums, .k = e.in, .transpose_b = true},
                        by_time.read().data(), input_weight.value().data(), input_sums.data(),
                        data_or_null(input_bias));
  TensorOf<T, B> state = zeros(std::type_identity<T>(), state_shape);
  TensorOf<S, B> before = zeros(std::type_identity<S>(), state_shape);
  TensorOf<S, B> y_by_time(Shape{e.time, e.batch, e.hidden}), saved;
  if (wanted) saved = TensorOf<S, B>(Shape{e.time, e.batch, recurrent_saved * e.hidden});
  RecurrentStep step = e.template step<B>(settings.lengths);
  const auto time_of = [time = e.time, reverse = settings.reverse](Index number) {
    return reverse ? time - 1 - number : number;
  };
  for (Index number = 0; number < e.time; ++number) {
    step.time = time_of(number);
    B::template gemm<Sum>(
        GemmProblem{.m = e.batch, .n = e.sums, .k = e.hidden, .transpose_b = true},
        before.read().data(), hidden_weight.value().data(), hidden_sums.data(),
        data_or_null(hidden_bias));
    TensorOf<S, B> y_now = y_by_time.rows(step.time, 1);
    B::template recurrent_step<Cell>(
        step, input_sums.rows(step.time, 1).read().data(), hidden_sums.read().data(),
        wanted ? saved.rows(step.time, 1).data() : nullptr, state.data(), y_now.data());
    before = y_now;
  }
  TensorOf<S, B> y(Shape{e.batch, e.time, e.hidden});
  swap_batch_and_time<S, B>(e.time, e.batch, e.hidden, y_by_time.read().data(), y.data());
  if (!wanted)
    return unrecorded<B, S>(name, std::move(y), x, input_weight, hidden_weight, input_bias,
                            hidden_bias);

  return record<B, S>(
      name, std::move(y),
      [e, time_of, zeros, by_time, y_by_time, saved, reverse = settings.reverse,
       lengths = settings.lengths, input_weight = input_weight.value(),
       hidden_weight = hidden_weight.value()](
          const TensorOf<S, B>& g, Slot<S, B>* to_x, Slot<S, B>* to_input_weight,
          Slot<S, B>* to_hidden_weight, Slot<S, B>* to_input_bias, Slot<S, B>* to_hidden_bias) {
        TensorOf<S, B> upstream(Shape{e.time, e.batch, e.hidden});
        swap_batch_and_time<S, B>(e.batch, e.time, e.hidden, g.data(), upstream.data());
        const Shape state_shape{e.batch, e.hidden};
        TensorOf<T, B> to_state = zeros(std::type_identity<T>(), state_shape);
        TensorOf<T, B> from_products = zeros(std::type_identity<T>(), state_shape);
        TensorOf<S, B> input_sums(Shape{e.time, e.batch, e.sums}), hidden_sums = input_sums;
        if (!Cell::one_gradient) hidden_sums = TensorOf<S, B>(input_sums.shape());
        RecurrentStep back = e.template step<B>(lengths);
        for (Index number = e.time - 1; number >= 0; --number) {
          back.time = time_of(number);
          const auto now = [&](const auto& tensor) { return tensor.rows(back.time, 1); };
          B::template recurrent_step_backward<Cell>(
              back, now(saved).read().data(), now(upstream).read().data(),
              from_products.read().data(), to_state.data(), now(input_sums).data(),
              now(hidden_sums).data());
          if (number > 0)
            B::template gemm<Sum>(GemmProblem{.m = e.batch, .n = e.hidden, .k = e.sums},
                                  now(hidden_sums).read().data(), hidden_weight.read().data(),
                                  from_products.data(), static_cast<const S*>(nullptr));
        }
        if (to_x != nullptr) {
          TensorOf<S, B> gradient(Shape{e.time, e.batch, e.in});
          B::template gemm<Sum>(GemmProblem{.m = e.rows(), .n = e.in, .k = e.sums},
                                input_sums.read().data(), input_weight.read().data(),
                                gradient.data(), static_cast<const S*>(nullptr));
          const auto to = to_x->destination();
          swap_batch_and_time<S, B>(e.time, e.batch, e.in, gradient.read().data(), to.view.data(),
                                    to.accumulate);
        }
        if (to_input_weight != nullptr)
          product_into<Sum, S, B>(
              GemmProblem{.m = e.sums, .n = e.in, .k = e.rows(), .transpose_a = true}, input_sums,
              by_time, to_input_weight->destination());
        if (to_hidden_weight != nullptr) {
          // Each step's sums meet the output of the step before; the first met a state of 0.
          const Index steps = e.time - 1;
          const GemmProblem problem{
              .m = e.sums, .n = e.hidden, .k = steps * e.batch, .transpose_a = true};
          const Index later = std::min<Index>(1, steps);
          product_into<Sum, S, B>(problem, hidden_sums.rows(reverse ? 0 : later, steps),
                                  y_by_time.rows(reverse ? later : 0, steps),
                                  to_hidden_weight->destination());
        }
        const auto to_bias = [&](Slot<S, B>* slot, const TensorOf<S, B>& sums) {
          if (slot == nullptr) return;
          const auto to = slot->destination();
          B::template reduce<Reduction::sum>(
              ReduceProblem{.reduced = e.rows(), .inner = e.sums, .accumulate = to.accumulate},
              formulas::Identity{}, to.view.data(), sums.read().data());
        };
        to_bias(to_input_bias, input_sums);
        to_bias(to_hidden_bias, hidden_sums);
      },
      x, input_weight, hidden_weight, input_bias, hidden_bias);
}

}  // namespace autograd

/// A layer of long short-term memory over padded sequences, from a state of 0:
///   i, f, o = sigmoid(W x + b + V y' + c), g = tanh(W x + b + V y' + c), each by its rows,
///   cell = f cell' + i g, y = o tanh(cell)
/// (Hochreiter, Schmidhuber, Neural Computation 9(8), 1997; gates in PyTorch's order i, f, g, o).
///
/// @tparam Compute  what products sum in; by default the storage type's
/// @param x              [batch, time, in]
/// @param input_weight   W [4 hidden, in]
/// @param hidden_weight  V [4 hidden, hidden]
/// @param input_bias, hidden_bias  b, c [4 hidden], or empty variables: none
/// @return  y [batch, time, hidden]; 0 past a sequence's end
/// @throws ShapeError  extents or the number of lengths do not fit
/// @throws DataError   a length is not within [1, time]
/// @numerics  operands in S, sums, gates and the state in FP32; y and what backward reads rounded
///            once
template <class Compute = void, class S, class B>
Variable<S, B> lstm(const Variable<S, B>& x, const Variable<S, B>& input_weight,
                    const Variable<S, B>& hidden_weight, const Variable<S, B>& input_bias = {},
                    const Variable<S, B>& hidden_bias = {},
                    const RecurrentSettings<B>& settings = {}) {
  using Cell = formulas::LstmCell;
  return autograd::recurrent<Compute, Cell>("lstm", x, input_weight, hidden_weight, input_bias,
                                            hidden_bias, settings);
}

/// A layer of gated recurrent units over padded sequences, from a state of 0:
///   r, z = sigmoid(W x + b + V y' + c), n = tanh(W x + b + r (V y' + c)), each by its rows,
///   y = (1 - z) n + z y'
/// (Cho et al., arXiv 1406.1078, with PyTorch's place of r and order r, z, n). Otherwise as lstm,
/// with 3 hidden rows.
template <class Compute = void, class S, class B>
Variable<S, B> gru(const Variable<S, B>& x, const Variable<S, B>& input_weight,
                   const Variable<S, B>& hidden_weight, const Variable<S, B>& input_bias = {},
                   const Variable<S, B>& hidden_bias = {},
                   const RecurrentSettings<B>& settings = {}) {
  using Cell = formulas::GruCell;
  return autograd::recurrent<Compute, Cell>("gru", x, input_weight, hidden_weight, input_bias,
                                            hidden_bias, settings);
}

template <class Compute = void, class S1, class B1, class S2, class B2, class... Rest>
requires MixedStorage<S1, S2>
auto lstm(const Variable<S1, B1>& x, const Variable<S2, B2>& input_weight, const Rest&...) {
  return autograd::refuse_mixed(x, input_weight);
}
template <class Compute = void, class S1, class B1, class S2, class B2, class... Rest>
requires MixedStorage<S1, S2>
auto gru(const Variable<S1, B1>& x, const Variable<S2, B2>& input_weight, const Rest&...) {
  return autograd::refuse_mixed(x, input_weight);
}

}  // namespace halfstep
