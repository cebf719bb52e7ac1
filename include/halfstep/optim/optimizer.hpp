#pragma once

#include <halfstep/optim/direct.hpp>
#include <halfstep/optim/schedule.hpp>

#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

namespace optim {

/// A bare rule means Direct.
template <class W>
struct WrapperOf {
  using type = Direct<W>;
};
template <UpdateWrapper W>
struct WrapperOf<W> {
  using type = W;
};

/// The first thing of a step: counts it and writes its record.
struct BeginStep {
  const GradientState* gradients;
  std::int64_t* attempted;
  std::int64_t* applied;
  StepRecord* record;

  HALFSTEP_HOST_DEVICE void operator()() const {
    const SkipReason reason = gradients->skip_reason();
    ++*attempted;
    if (reason == SkipReason::none) ++*applied;
    *record = {gradients->loss,        gradients->scale, gradients->norm,
               gradients->clip_factor, *applied,         reason};
  }
};

/// Whether small updates survive: 32-bit parameters, or a wrapper that is not Direct.
template <class W, class Setup>
inline constexpr bool updates_survive =
    !numeric_traits<typename Setup::Parameter>::is_16_bit ||
    !std::same_as<typename WrapperOf<W>::type, Direct<typename WrapperOf<W>::type::Rule>>;

template <class G>
struct TokenTraits {
  static constexpr bool is_token = false;
  static constexpr bool is_scaled = false;
};
template <class State, class Setup>
struct TokenTraits<Gradients<State, Setup>> {
  static constexpr bool is_token = true;
  static constexpr bool is_scaled = std::same_as<State, Scaled>;
};

/// Refuses, in a sentence, what the named call does not take.
template <class G>
constexpr void refuse_gradients() {
  using Traits = TokenTraits<std::remove_cvref_t<G>>;
  constexpr bool scaled = Traits::is_scaled;
  static_assert(!scaled,
                "halfstep: these gradients still carry the loss scale; unscale them first: "
                "scaler.unscale(std::move(gradients))");
  static_assert(scaled || !Traits::is_token || !std::is_lvalue_reference_v<G>,
                "halfstep: a step uses its gradients up; hand them over: "
                "step(std::move(gradients))");
  static_assert(Traits::is_token,
                "halfstep: a step takes the Gradients that backward returned for the same Setup");
}

}  // namespace optim

/// Applies gradients to a model's parameters: one pass over memory for each arena, which unscales,
/// clips, decays, updates moments and weights, and stores. A step whose gradients or loss are not
/// finite is skipped where it runs: weights, masters, moments and the applied counter keep their
/// bits. The host waits for nothing.
///
/// @tparam Wrapper_  how small updates survive: MasterWeights<Rule>, StochasticRounding<Rule>,
///                   UnsafeNearest<Rule>, or for 32-bit parameters Direct<Rule> or the bare rule
/// @numerics  moments in Setup::Moment; the formula in FP32 (in FP64 where parameters are double)
template <class Wrapper_, class Setup_>
class Optimizer {
  static_assert(optim::updates_survive<Wrapper_, Setup_>,
                "halfstep: 16-bit parameters must say how small updates survive; wrap the rule: "
                "MasterWeights{...}, StochasticRounding{...} or by name UnsafeNearest{...}");

 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Wrapper = typename optim::WrapperOf<Wrapper_>::type;
  using Rule = typename Wrapper::Rule;
  using Moment = typename Setup::Moment;
  using Coefficients = optim::CoefficientsOf<Rule>;

  /// Lays the model's arenas out, and allocates the moments.
  /// @param schedule  the factor on the rule's learning rate over the applied steps
  /// @throws UsageError      a setting that cannot work, named with its value
  /// @throws PrecisionError  a layer of another Setup has 16-bit parameters that Direct cannot
  /// serve
  template <optim::Schedule S = optim::ConstantRate>
  Optimizer(const Parameters<Setup>& parameters, const Wrapper_& wrapper, const S& schedule = {})
      : store_(parameters.store()), rules_{{0, rule_of(wrapper)}}, schedule_(schedule) {
    optim::validate(rule());
    store_->lay_out();
    store_->attempted();
    store_->for_each_stored(typename Setup::Storages{}, [&](auto& segment) {
      Wrapper::prepare(segment);
      const int kept = segment.frozen() ? 0 : optim::moments_kept(rule());
      TensorOf<Moment, Backend> moments;
      if (kept > 0) {
        moments = TensorOf<Moment, Backend>(Shape{kept * segment.size()});
        Backend::clear(moments.size(), moments.data());
      }
      moments_.push_back(std::move(moments));
    });
    applied_ = TensorOf<std::int64_t, Backend>(Shape{1});
    const std::int64_t zero = 0;
    Backend::upload(std::span<const std::int64_t>(&zero, 1), applied_.data());
    coefficients_ = TensorOf<Coefficients, Backend>(Shape{1});
  }
  Optimizer(Optimizer&&) noexcept = default;
  Optimizer& operator=(Optimizer&&) noexcept = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Applies the gradients, unless they or the loss are not finite, and uses the token up.
  /// @throws UsageError  the gradients are another model's, or the token was moved from
  StepReport<Backend> step(Gradients<Unscaled, Setup>&& given) {
    if (given.store() != store_)
      fail<UsageError>("Optimizer: these gradients belong to another model than this optimizer's");
    Gradients<Unscaled, Setup> gradients = std::move(given);
    gradients.check();
    TensorOf<StepRecord, Backend> record(Shape{1});
    Backend::once(optim::BeginStep{gradients.state(), store_->attempted().data(), applied_.data(),
                                   record.data()});
    for (std::size_t i = 0; i < rules_.size(); ++i)
      schedule_.evaluate(rules_[i].rule, applied_.data(), coefficients_.data() + i);

    optim::StepContext<Rule> context{gradients.state(), nullptr, store_->attempted().data(),
                                     store_->seed(), 0};
    std::size_t next = 0;
    gradients.for_each_arena([&](auto& segment, const auto& arena) {
      // Frozen segments have no gradients; `moments_` counts them.
      const std::size_t at = find_segment(segment, next);
      next = at + 1;
      const std::size_t group = rule_index(segment.group());
      context.segment = static_cast<std::uint32_t>(at);
      context.coefficients = coefficients_.data() + group;
      update<optim::fewest_moments<Rule>()>(context, segment, in(arena), at, rules_[group].rule);
    });
    store_->restart_draws();
    return StepReport<Backend>(std::move(record));
  }
  template <class G>
  StepReport<Backend> step(G&&) {
    optim::refuse_gradients<G>();
    return {};
  }

  /// Gives the parameters of a group their own settings; see ParameterStore::arrange.
  /// @throws UsageError  a setting that cannot work, or another number of moments
  void set_rule(int group, const Rule& rule) {
    optim::validate(rule);
    if (optim::moments_kept(rule) != optim::moments_kept(rules_[0].rule))
      fail<UsageError>("Optimizer: group ", group, " would keep ", optim::moments_kept(rule),
                       " moments a weight, and the others ", optim::moments_kept(rules_[0].rule),
                       "; change no setting that adds or drops a moment");
    if (rule_index(group) == 0 && group != 0) {
      rules_.push_back({group, rule});
      coefficients_ = TensorOf<Coefficients, Backend>(Shape{static_cast<Index>(rules_.size())});
    } else {
      rules_[rule_index(group)].rule = rule;
    }
  }
  /// The settings of group 0, and of every group that has none of its own.
  const Rule& rule(int group = 0) const { return rules_[rule_index(group)].rule; }

  /// Steps that changed the parameters. Waits for them.
  std::int64_t applied_steps() const { return read(applied_); }
  /// All steps of this model, skipped ones too. Waits for them.
  std::int64_t attempted_steps() const { return read(store_->attempted()); }
  /// The rate of the next step. Waits for the steps before.
  double learning_rate(int group = 0) const {
    return rule(group).learning_rate * schedule_.factor(applied_steps());
  }

  /// Bytes kept for the parameters besides themselves and their gradients: moments and masters.
  Index optimizer_bytes() const {
    Index bytes = 0;
    for (const auto& moments : moments_) bytes += moments.size() * Index{sizeof(Moment)};
    store_->for_each_segment(
        [&](auto& segment) { bytes += segment.masters().size() * Index{sizeof(float)}; });
    return bytes;
  }

  /// Calls visitor(name, tensor) for all that a checkpoint must hold besides weights and masters;
  /// the tensor shares the optimizer's memory and may be written.
  template <class Visitor>
  void visit_state(Visitor&& visitor) {
    visitor(std::string("applied_steps"), applied_);
    visitor(std::string("attempted_steps"), store_->attempted());
    for (std::size_t i = 0; i < store_->count(); ++i) {
      const ParameterInfo& info = store_->info(i);
      const auto& segment = store_->segment_of(i);
      const auto& moments = moments_[find_segment(segment, 0)];
      for (Index m = 0; m < moments.size() / segment.size(); ++m) {
        TensorOf<Moment, Backend> part =
            moments.rows(m * segment.size() + store_->offset_of(i), info.shape.size())
                .reshaped(info.shape);
        visitor(info.name + "/moment" + std::to_string(m), part);
      }
    }
  }

  const std::shared_ptr<typename Parameters<Setup>::Store>& store() const { return store_; }

 private:
  struct GroupRule {
    int group;
    Rule rule;
  };

  static const Rule& rule_of(const Wrapper_& wrapper) {
    if constexpr (optim::UpdateWrapper<Wrapper_>) {
      return wrapper.rule;
    } else {
      return wrapper;
    }
  }
  std::size_t rule_index(int group) const {
    for (std::size_t i = 1; i < rules_.size(); ++i)
      if (rules_[i].group == group) return i;
    return 0;
  }
  /// The place of a segment among all of the store's, searched from `first` on.
  template <class Segment>
  std::size_t find_segment(const Segment& wanted, std::size_t first) const {
    std::size_t at = 0;
    std::size_t found = first;
    store_->for_each_segment([&](auto& segment) {
      if (static_cast<const void*>(&segment) == static_cast<const void*>(&wanted)) found = at;
      ++at;
    });
    return found;
  }

  /// Runs the pass with as many moments as the settings keep.
  template <int Kept, class Segment, class G>
  void update(const optim::StepContext<Rule>& context, Segment& segment, In<G> gradients,
              std::size_t at, const Rule& rule) {
    if constexpr (Kept < Rule::moments) {
      if (optim::moments_kept(rule) != Kept)
        return update<Kept + 1>(context, segment, gradients, at, rule);
    }
    Moment* const moments = moments_[at].data();
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      Wrapper::template update<Backend>(
          context, segment, gradients,
          InOut<Moment>{moments + static_cast<Index>(I) * segment.size()}...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(Kept)>());
  }

  static std::int64_t read(const TensorOf<std::int64_t, Backend>& counter) {
    std::int64_t value = 0;
    Backend::download(counter.data(), std::span<std::int64_t>(&value, 1));
    return value;
  }

  std::shared_ptr<typename Parameters<Setup>::Store> store_;
  std::vector<GroupRule> rules_;
  optim::AnySchedule<Rule, Backend> schedule_;
  std::vector<TensorOf<Moment, Backend>> moments_;  ///< per segment, one moment after the other
  TensorOf<std::int64_t, Backend> applied_;
  TensorOf<Coefficients, Backend> coefficients_;
};

}  // namespace halfstep
