#pragma once

#include <halfstep/autograd/parameters.hpp>
#include <halfstep/autograd/step_report.hpp>
#include <halfstep/optim/rule.hpp>

#include <vector>

namespace halfstep::inline HALFSTEP_ABI::optim {

/// average += (1 - decay) (w - average), unless the step was skipped.
struct FollowWeights {
  const StepRecord* record;
  double decay;

  struct Ready {
    double share;
    bool skipped;
    HALFSTEP_HOST_DEVICE bool skip() const { return skipped; }
    template <class N>
    HALFSTEP_HOST_DEVICE HALFSTEP_INLINE void operator()(const N& weight, N& average) const {
      average = fma(constant<N>(share), weight - average, average);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const {
    return {1.0 - decay, record->skipped != SkipReason::none};
  }
};

/// An exponential moving average of a model's weights over the applied steps, in FP32, from the
/// most exact values that training keeps (masters, not rounded weights). It often tests better than
/// the weights themselves (Polyak, Juditsky, SIAM J. Control Optim. 1992).
///
///   optim::Average average(model.parameters(), {.decay = 0.999});
///   average.update(trainer.step(batch, loss));
///   {
///     const auto averaged = average.use();      // the model has the averages in this scope
///     std::cout << accuracy(model, test);
///   }
///
/// @numerics  in FP32; a skipped step leaves it as it was, without the host's waiting for it
template <class Setup_>
class Average {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;

  struct Settings {
    double decay = 0.999;
  };

  /// Begins with the weights as they are.
  /// @throws UsageError  a decay outside [0, 1)
  explicit Average(const Parameters<Setup>& parameters, const Settings& settings = {})
      : parameters_(parameters), settings_(settings) {
    require_decay_rate("Average", "decay", settings.decay);
    parameters_.store()->take();
    for_each_segment([&](auto& segment, auto&) { averages_.push_back(copy_of(segment)); });
  }
  Average(Average&&) noexcept = default;
  Average& operator=(Average&&) noexcept = default;
  Average(const Average&) = delete;
  Average& operator=(const Average&) = delete;

  /// Follows the weights after a step.
  /// @throws UsageError  the model has the averages now; see `use`
  void update(const StepReport<Backend>& report) {
    if (swapped_)
      fail<UsageError>("Average::update: the model has its averages now; end the scope of use() ",
                       "before the next step");
    for_each_segment([&](auto& segment, auto& average) {
      const auto weights = segment.full_values();
      Backend::for_each_element(average.size(), FollowWeights{report.record(), settings_.decay},
                                in(weights.read()), in_out(average.view()));
    });
  }

  /// Exchanges the model's weights and the averages, with what is kept beside 16-bit weights.
  void swap() {
    for_each_segment([&](auto& segment, auto& average) {
      auto weights = copy_of(segment);
      segment.store_full(0, average.size(), std::as_const(average).data());
      average = std::move(weights);
    });
    swapped_ = !swapped_;
  }

  /// While it lives, the model has the averages.
  class [[nodiscard]] Scope {
   public:
    explicit Scope(Average& average) : average_(&average) { average_->swap(); }
    ~Scope() { average_->swap(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Average* average_;
  };
  Scope use() { return Scope(*this); }

  /// Calls visitor(name, tensor) for all that a checkpoint must hold.
  template <class Visitor>
  void visit_state(Visitor&& visitor) {
    auto& store = *parameters_.store();
    for (std::size_t i = 0; i < store.count(); ++i) {
      const ParameterInfo& info = store.info(i);
      for_each_segment([&](auto& segment, auto& average) {
        if (static_cast<const void*>(&segment) != static_cast<const void*>(&store.segment_of(i)))
          return;
        TensorOf<float, Backend> part =
            average.rows(store.offset_of(i), info.shape.size()).reshaped(info.shape);
        visitor(info.name + "/average", part);
      });
    }
  }

 private:
  template <class Segment>
  static TensorOf<float, Backend> copy_of(Segment& segment) {
    TensorOf<float, Backend> copy(Shape{segment.size()});
    segment.load_full(0, segment.size(), copy.data());
    return copy;
  }
  /// Calls f(segment, average) for each segment that training moves.
  template <class F>
  void for_each_segment(F&& f) {
    std::size_t at = 0;
    TensorOf<float, Backend> none;
    parameters_.store()->for_each_stored(typename Setup::Storages{}, [&](auto& segment) {
      if (segment.frozen() || !parameters_.has_group(segment.group())) return;
      f(segment, at < averages_.size() ? averages_[at] : none);
      ++at;
    });
  }

  Parameters<Setup> parameters_;
  Settings settings_;
  std::vector<TensorOf<float, Backend>> averages_;  ///< per segment
  bool swapped_ = false;
};

template <class Setup>
Average(const Parameters<Setup>&) -> Average<Setup>;
template <class Setup>
Average(const Parameters<Setup>&, const typename Average<Setup>::Settings&) -> Average<Setup>;

}  // namespace halfstep
