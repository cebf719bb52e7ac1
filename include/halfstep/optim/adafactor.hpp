#pragma once

#include <halfstep/ops/formulas_arithmetic.hpp>
#include <halfstep/ops/formulas_exponential.hpp>
#include <halfstep/optim/tensor_rule.hpp>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// Adam's second moment in the memory of a row and a column: of a matrix's squared gradients only
/// the running means of rows r and columns c are kept, v = r c^T / mean(r); of a vector all of v.
/// u = g / sqrt(v), clipped to a root mean square of `clip`, and
/// w -= max(epsilon2, rms(w)) min(rate, 1/sqrt(t)) u, after decoupled decay; v's decay rate is
/// 1 - t^beta2_decay. No first moment.
/// (Shazeer, Stern, arXiv 1804.04235, algorithms 4 and 5; torch.optim.Adafactor, which bounds v
/// from below by epsilon1^2 where the paper adds epsilon1 to the squares. Axes before the last two
/// count matrices.)
struct Adafactor {
  double learning_rate = 1e-2;
  double beta2_decay = -0.8;
  double epsilon1 = 0.0;  ///< 0: the spacing of numbers at 1 in the type that is computed in
  double epsilon2 = 1e-3;
  double clip = 1.0;
  double weight_decay = 0.0;

  static constexpr std::string_view name = "Adafactor";
  static constexpr bool per_tensor = true;

  struct Coefficients {
    double fresh, rate, step_size, decay, epsilon1, epsilon2, clip;
  };
  HALFSTEP_HOST_DEVICE Coefficients at(std::int64_t step, double rate) const {
    const double t = static_cast<double>(step);
    const double ceiling = 1.0 / std::sqrt(t);
    return {std::pow(t, beta2_decay),
            rate,
            rate < ceiling ? rate : ceiling,
            weight_decay,
            epsilon1,
            epsilon2,
            clip};
  }

  static bool factored(const Shape& shape) { return shape.rank() >= 2; }
  Index state_size(const Shape& shape) const {
    if (!factored(shape)) return shape.size();
    return shape.size() / shape[-1] + shape.size() / shape[-2];
  }

  /// epsilon1, as a number that N tells apart from nothing beside 1.
  template <class N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE N smallest(const Coefficients& c) {
    constexpr double spacing = std::same_as<N, double> ? 0x1p-52 : 0x1p-23;
    return constant<N>(c.epsilon1 > 0.0 ? c.epsilon1 : spacing);
  }
  template <class N>
  HALFSTEP_HOST_DEVICE static HALFSTEP_INLINE N over_root(const Coefficients& c, const N& g,
                                                          const N& v) {
    const N least = smallest<N>(c);
    return g / sqrt(max(v, least * least));
  }
  /// squares = g^2.
  struct Squares {
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const Coefficients&, double multiplier,
                                                         const N& g, N& squares) const {
      const N unscaled = g * constant<N>(multiplier);
      squares = unscaled * unscaled;
    }
  };
  /// mean += (1 - beta2) (now - mean).
  struct Average {
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const Coefficients& c, double,
                                                         const N& now, N& mean) const {
      mean = fma(constant<N>(c.fresh), now - mean, mean);
    }
  };
  /// row = row / mean of the matrix's rows.
  struct Normalise {
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const Coefficients& c, double,
                                                         const N& mean, N& row) const {
      row = row / max(mean, smallest<N>(c));
    }
  };
  /// update = g / sqrt(v), with v in its place.
  struct Factored {
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const Coefficients& c, double multiplier,
                                                         const N& g, N& update) const {
      update = over_root(c, g * constant<N>(multiplier), update);
    }
  };
  struct Whole {
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const Coefficients& c, double multiplier,
                                                         const N& g, N& v, N& update) const {
      const N unscaled = g * constant<N>(multiplier);
      v = fma(constant<N>(c.fresh), unscaled * unscaled - v, v);
      update = over_root(c, unscaled, v);
    }
  };
  /// update = -max(epsilon2, rms(w)) step_size update / max(1, rms(update) / clip) - rate decay w.
  struct Scale {
    const double* means;  ///< of the squares of w and of the update
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const Coefficients& c, double, const N& w,
                                                         N& update) const {
      const double size = std::sqrt(means[0]);
      const double length = std::sqrt(means[1]) / c.clip;
      const double factor =
          (size > c.epsilon2 ? size : c.epsilon2) * c.step_size / (length > 1.0 ? length : 1.0);
      update = constant<N>(-factor) * update - constant<N>(c.rate * c.decay) * w;
    }
  };

  template <class B, class Step, class G, class F, class M>
  void direction(const Step& step, const Shape& shape, const G* gradient, const F* weight, M* state,
                 F* update) const {
    const Index n = shape.size();
    if (factored(shape)) {
      estimate<B>(step, shape, gradient, state, update);
      B::for_each_element(n, step_pass(step, Factored{}), In<G>{gradient}, InOut<F>{update});
    } else {
      B::for_each_element(n, step_pass(step, Whole{}), In<G>{gradient}, InOut<M>{state},
                          Out<F>{update});
    }
    TensorOf<double, B> means(Shape{2});
    const ReduceProblem mean{.reduced = n, .scale = 1.0 / static_cast<double>(n)};
    B::template reduce<Reduction::sum>(mean, formulas::Square{}, means.data(), weight);
    B::template reduce<Reduction::sum>(mean, formulas::Square{}, means.data() + 1,
                                       static_cast<const F*>(update));
    B::for_each_element(n, step_pass(step, Scale{means.data()}), In<F>{weight}, InOut<F>{update});
  }

  void validate() const {
    require_setting(beta2_decay < 0.0, name, "beta2_decay", beta2_decay, "negative");
    require_not_negative(name, "epsilon1", epsilon1);
    require_not_negative(name, "epsilon2", epsilon2);
    require_setting(clip > 0.0, name, "clip", clip, "positive");
    require_not_negative(name, "weight_decay", weight_decay);
  }

 private:
  /// Moves the means of rows and columns, and writes v to `update`: one product of a row's and a
  /// column's means for each matrix.
  template <class B, class Step, class G, class F, class M>
  static void estimate(const Step& step, const Shape& shape, const G* gradient, M* state,
                       F* update) {
    const Index columns = shape[-1];
    const Index rows = shape[-2];
    const Index matrices = shape.size() / (rows * columns);
    B::for_each_element(shape.size(), step_pass(step, Squares{}), In<G>{gradient}, Out<F>{update});
    const auto average = [&](const ReduceProblem& problem, M* means) {
      const Index count = problem.outer * problem.inner;
      TensorOf<F, B> now(Shape{count});
      B::template reduce<Reduction::sum>(problem, formulas::Identity{}, now.data(),
                                         static_cast<const F*>(update));
      B::for_each_element(count, step_pass(step, Average{}), in(now.view()), InOut<M>{means});
      TensorOf<F, B> wide(Shape{count});
      B::convert(count, static_cast<const M*>(means), wide.data());
      return wide;
    };
    const TensorOf<F, B> row = average(
        {.outer = matrices * rows, .reduced = columns, .scale = 1.0 / static_cast<double>(columns)},
        state);
    const TensorOf<F, B> column = average({.outer = matrices,
                                           .reduced = rows,
                                           .inner = columns,
                                           .scale = 1.0 / static_cast<double>(rows)},
                                          state + matrices * rows);
    TensorOf<F, B> means(Shape{matrices});
    B::template reduce<Reduction::sum>(
        {.outer = matrices, .reduced = rows, .scale = 1.0 / static_cast<double>(rows)},
        formulas::Identity{}, means.data(), row.read().data());
    TensorOf<F, B> spread(Shape{matrices, rows});
    B::strided_copy({.extents = {matrices, rows}, .from_strides = {1, 0}, .to_strides = {rows, 1}},
                    means.read().data(), spread.data());
    TensorOf<F, B> share = row;
    B::for_each_element(matrices * rows, step_pass(step, Normalise{}), in(spread.view()),
                        in_out(share.view()));
    B::template gemm<F>({.batch = matrices, .m = rows, .n = columns, .k = 1}, share.read().data(),
                        column.read().data(), update, static_cast<const F*>(nullptr));
  }
};

}  // namespace halfstep
