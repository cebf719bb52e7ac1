#pragma once

#include <halfstep/backend/cuda/convolution_race.hpp>
#include <halfstep/backend/cuda/plan_race.hpp>
#include <halfstep/backend/deterministic_scope.hpp>
#include <halfstep/core/error.hpp>
#include <halfstep/core/random.hpp>
#include <halfstep/ops/backend.hpp>
#include <halfstep/precision/product.hpp>
#include <halfstep/tensor/tensor.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// What a library's convolution reads, and its result: one of x, weight and y is null, and that is
/// what the result is. The weight is [filters, kernel, channels / groups] where channels are last,
/// else [filters, channels / groups, kernel].
struct ConvolutionArrays {
  const void* x;
  const void* weight;
  const void* y;
  const void* bias;
  void* result;
  bool accumulate;
};

/// x += the bias of its channel.
template <class S>
struct AddChannelBias {
  const S* bias;
  std::uint32_t positions;  ///< neighbours of one channel
  std::uint32_t channels;
  template <class N>
  HALFSTEP_HOST_DEVICE void operator()(Index at, N& x) const {
    // 32-bit divisions are many times as fast, and larger images do not come here.
    x = x + storage_cast<N>(bias[static_cast<std::uint32_t>(at) / positions % channels]);
  }
};

/// Numbers in [-1, 1): on zeros a GPU is faster than it is.
struct RandomNumbers {
  static constexpr bool compute_bound = true;
  template <class N>
  HALFSTEP_HOST_DEVICE void operator()(Index at, N& x) const {
    const auto counter = Philox::counter(static_cast<std::uint64_t>(at), 0);
    x = N(2.0f * uniform01(Philox(0)(counter)[0]) - 1.0f);
  }
};

/// A backend's operations, but convolutions are made by a library where it has an algorithm and
/// that is faster than products of windows. Each is chosen once: see ConvolutionRace.
///
/// @tparam Grid     grid::Operations, or what derives from it
/// @tparam Library  `algorithms(key)`; `enqueue(key, algorithm, arrays)`, on Grid's queue;
///                  `elapsed(f)`, see fastest(); `AtOnce`, a scope in which that queue notes
///                  nothing
/// @numerics  products in S, sums in FP32, one rounding at the store; two where both a bias and
///            what was there are added
template <class Grid, class Library>
struct LibraryConvolutions : Grid {
 private:
  template <class T>
  using Array = typename Grid::template Array<T>;

 public:
  template <class Compute, class S>
  static void convolve(const ConvolutionProblem& p, const S* x, const S* weight, const S* bias,
                       S* y, bool accumulate) {
    const Call<Compute, S> call{
        {.problem = p, .pass = ConvolutionPass::forward}, {x, weight, nullptr, bias}, y};
    run(call, accumulate);
  }
  template <class Compute, class S>
  static void convolve_transposed(const ConvolutionProblem& p, const S* y, const S* weight,
                                  const S* bias, S* x, bool accumulate) {
    const Call<Compute, S> call{
        {.problem = p, .pass = ConvolutionPass::data}, {nullptr, weight, y, bias}, x};
    run(call, accumulate);
  }
  template <class Compute, class S>
  static void convolve_weight(const ConvolutionProblem& p, const S* x, const S* y, S* weight,
                              bool accumulate) {
    const Call<Compute, S> call{
        {.problem = p, .pass = ConvolutionPass::weight}, {x, nullptr, y, nullptr}, weight};
    run(call, accumulate);
  }

 private:
  template <class S>
  struct Operands {
    const S* x = nullptr;
    const S* weight = nullptr;
    const S* y = nullptr;
    const S* bias = nullptr;
  };
  template <class Compute, class S>
  struct Call {
    ConvolutionKey key;
    Operands<S> from;
    S* to;
  };

  template <class Compute, class S>
  static void run(Call<Compute, S> call, bool accumulate) {
    ConvolutionKey& key = call.key;
    key.storage = convolution_storage<S>;
    key.tf32 = std::is_same_v<Compute, tf32>;
    key.bias = call.from.bias != nullptr;
    key.accumulate = accumulate;
    key.deterministic = DeterministicScope::active();
    if constexpr (std::is_same_v<S, double>) {
      by_windows(call);
    } else {
      if (!suits(call)) return by_windows(call);
      const auto race = [&](const std::vector<ConvolutionAlgorithm>& candidates) {
        const typename Library::AtOnce now;  // what is measured is not noted
        try {
          const Trial<Compute, S> trial(key);
          return fastest<Library>(candidates, trial);
        } catch (const BackendError&) {
          return std::optional<ConvolutionAlgorithm>();  // there is no memory for it
        }
      };
      perform(call, ConvolutionRace<Library>::shared().choose(key, race));
    }
  }

  /// Whether a library may be asked: it counts elements in 32 bits, and tensor cores load 16 bytes.
  template <class Compute, class S>
  static bool suits(const Call<Compute, S>& call) {
    const ConvolutionProblem& p = call.key.problem;
    const Index sizes[] = {p.x_size(), p.y_size(), p.weight_size()};
    for (const Index size : sizes)
      if (size == 0 || size > std::numeric_limits<std::int32_t>::max()) return false;
    const void* const arrays[] = {call.from.x, call.from.weight, call.from.y, call.from.bias,
                                  call.to};
    for (const void* const array : arrays)
      if (reinterpret_cast<std::uintptr_t>(array) % 16 != 0) return false;
    return true;
  }

  template <class Compute, class S>
  static void perform(const Call<Compute, S>& call, const ConvolutionAlgorithm& algorithm) {
    if (algorithm.of_library)
      by_library(call, algorithm);
    else
      by_windows(call);
  }

  template <class Compute, class S>
  static void by_windows(const Call<Compute, S>& call) {
    const ConvolutionProblem& p = call.key.problem;
    const auto& [x, weight, y, bias] = call.from;
    const bool accumulate = call.key.accumulate;
    switch (call.key.pass) {
      case ConvolutionPass::forward:
        return Grid::template convolve<Compute>(p, x, weight, bias, call.to, accumulate);
      case ConvolutionPass::data:
        return Grid::template convolve_transposed<Compute>(p, y, weight, bias, call.to, accumulate);
      case ConvolutionPass::weight:
        return Grid::template convolve_weight<Compute>(p, x, y, call.to, accumulate);
    }
  }

  template <class Compute, class S>
  static void by_library(const Call<Compute, S>& call, const ConvolutionAlgorithm& algorithm) {
    const ConvolutionKey& key = call.key;
    const ConvolutionProblem& p = key.problem;
    const auto& [x, weight, y, bias] = call.from;
    ConvolutionArrays arrays{x, weight, y, bias, call.to, key.accumulate};
    if (key.bias && !algorithm.adds_bias) {
      // The convolution is added to the bias, so that there is one rounding.
      add_bias(key, bias, call.to);
      arrays.bias = nullptr;
      arrays.accumulate = true;
    }
    // Where channels are last, tensor cores want those of the weight so as well.
    const bool turned =
        p.layout == ImageLayout::channels_last && p.kernel.size() > 1 && p.channels > p.groups;
    if (!turned) return Library::enqueue(key, algorithm, arrays);
    Array<S> inside(Shape{p.weight_size()});
    const StridedCopy inward = turned_inward(p);
    if (key.pass != ConvolutionPass::weight) {
      Grid::strided_copy(inward, weight, inside.data());
      arrays.weight = std::as_const(inside).data();
      return Library::enqueue(key, algorithm, arrays);
    }
    if (key.accumulate) Grid::strided_copy(inward, std::as_const(call.to), inside.data());
    arrays.result = inside.data();
    Library::enqueue(key, algorithm, arrays);
    StridedCopy outward = inward;
    std::swap(outward.from_strides, outward.to_strides);
    Grid::strided_copy(outward, std::as_const(inside).data(), call.to);
  }

  template <class S>
  static void add_bias(const ConvolutionKey& key, const S* bias, S* to) {
    const ConvolutionProblem& p = key.problem;
    const bool forward = key.pass == ConvolutionPass::forward;
    const Index positions = (forward ? p.output : p.input).size();
    const Index channels = forward ? p.filters : p.channels;
    const bool last = p.layout == ImageLayout::channels_last;
    const AddChannelBias<S> add{bias, static_cast<std::uint32_t>(last ? 1 : positions),
                                static_cast<std::uint32_t>(channels)};
    const Index n = p.batch * channels * positions;
    if (key.accumulate)
      Grid::for_each_element(n, add, InOut<S>{to});
    else
      Grid::for_each_element(n, add, Out<S>{to});  // each starts from 0
  }

  /// From [filters, channels / groups, kernel] to [filters, kernel, channels / groups].
  static StridedCopy turned_inward(const ConvolutionProblem& p) {
    const Index channels = p.channels / p.groups, window = p.kernel.size();
    StridedCopy copy;
    copy.extents = Shape{p.filters, channels, window};
    copy.from_strides = {channels * window, window, 1};
    copy.to_strides = {channels * window, 1, channels};
    return copy;
  }

  /// A call on arrays of its own, for races.
  template <class Compute, class S>
  class Trial {
   public:
    explicit Trial(const ConvolutionKey& key)
        : x_(random(key.problem.x_size())),
          weight_(random(key.problem.weight_size())),
          y_(random(key.problem.y_size())),
          call_{key, {}, nullptr} {
      Operands<S>& from = call_.from;
      from = {std::as_const(x_).data(), std::as_const(weight_).data(), std::as_const(y_).data()};
      const bool forward = key.pass == ConvolutionPass::forward;
      Array<S>& result = forward ? y_ : key.pass == ConvolutionPass::data ? x_ : weight_;
      (forward ? from.y : key.pass == ConvolutionPass::data ? from.x : from.weight) = nullptr;
      call_.to = result.data();
      if (key.bias) {
        bias_ = random(forward ? key.problem.filters : key.problem.channels);
        from.bias = std::as_const(bias_).data();
      }
    }
    bool operator()(const ConvolutionAlgorithm& algorithm) const {
      try {
        perform(call_, algorithm);
        return true;
      } catch (const BackendError&) {
        return false;
      }
    }

   private:
    static Array<S> random(Index n) {
      Array<S> numbers(Shape{n});
      Grid::for_each_element(n, RandomNumbers{}, Out<S>{numbers.data()});
      return numbers;
    }
    Array<S> x_, weight_, y_, bias_;
    Call<Compute, S> call_;
  };
};

}  // namespace halfstep
