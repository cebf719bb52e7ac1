#pragma once

#include <halfstep/optim/group_rules.hpp>
#include <halfstep/optim/memory_use.hpp>
#include <halfstep/optim/step_begin.hpp>
#include <halfstep/optim/tensor_rule.hpp>
#include <halfstep/optim/update_wrapper.hpp>

#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Applies gradients to a model's parameters: one pass over memory for each arena, which unscales,
/// clips, decays, updates moments and weights, and stores. A step whose gradients or loss are not
/// finite is skipped where it runs: weights, masters, moments and the applied counter keep their
/// bits. The host waits for nothing.
///
/// An optimizer of a part of a model takes `model.parameters().only({1})`, and the token that
/// `split` made for those groups.
///
/// @tparam Wrapper_  how small updates survive: MasterWeights<Rule>, SplitMaster<Rule>,
///                   StochasticRounding<Rule>, KahanSum<Rule>, by name UnsafeNearest<Rule>, or for
///                   32-bit parameters Direct<Rule> or the bare rule
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
  ///                         serve, or a parameter is too large for SplitMaster
  template <optim::Schedule S = optim::ConstantRate>
  Optimizer(const Parameters<Setup>& parameters, const Wrapper_& wrapper, const S& schedule = {})
      : parameters_(parameters), rules_(rule_of(wrapper), schedule) {
    auto& store = *parameters_.store();
    store.take();
    if constexpr (requires { Wrapper::require_range(parameters_); })
      Wrapper::require_range(parameters_);
    counters_ = zeros<std::int64_t>(2);
    out_of_range_ = zeros<std::int32_t>(1);
    coefficients_ = TensorOf<Coefficients, Backend>(Shape{1});
    no_coefficients_ = zeros<optim::AddUpdate::Coefficients>(1);
    store.for_each_stored(typename Setup::Storages{}, [&](auto& segment) {
      arenas_.emplace_back();
      if (!serves(segment)) return;
      prepare(segment);
      arenas_.back() = arena_of(segment);
    });
  }
  Optimizer(Optimizer&&) noexcept = default;
  Optimizer& operator=(Optimizer&&) noexcept = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Applies the gradients, unless they or the loss are not finite, and uses the token up.
  /// @throws UsageError      the gradients are another model's or another part's, or the token was
  ///                         moved from
  /// @throws PrecisionError  SplitMaster: a master left float16's range, in this step or, where the
  ///                         host cannot read the device's memory, a few steps ago
  StepReport<Backend> step(Gradients<Unscaled, Setup>&& given) {
    if (given.store() != store() || given.groups() != parameters_.groups())
      fail<UsageError>("Optimizer: these gradients belong to another model than this optimizer's, ",
                       "or to other groups of it");
    Gradients<Unscaled, Setup> gradients = std::move(given);
    gradients.check();
    TensorOf<StepRecord, Backend> record(Shape{1});
    std::int64_t* const random_step = store()->attempted().data();
    Backend::once(
        optim::BeginStep{gradients.state(), random_step, attempted(), applied(), record.data()});
    rules_.evaluate(applied(), coefficients_.data());

    optim::StepContext<Rule> context{gradients.state(), nullptr, random_step,
                                     store()->seed(),   0,       out_of_range_.data()};
    std::size_t next = 0;
    gradients.for_each_arena([&](auto& segment, const auto& gradient) {
      const std::size_t at = find_segment(segment, next);
      next = at + 1;
      const std::size_t group = rules_.index(segment.group());
      context.segment = static_cast<std::uint32_t>(at);
      context.coefficients = coefficients_.data() + group;
      update(context, segment, in(gradient), arenas_[at], rules_.rule(group));
    });
    store()->end_step(gradients.state());
    watch_range();
    return StepReport<Backend>(std::move(record));
  }
  template <class G>
  StepReport<Backend> step(G&&) {
    optim::refuse_gradients<G>();
    return {};
  }

  /// Gives the parameters of a group their own settings; Parameters::assign makes groups.
  /// @throws UsageError  a setting that cannot work, or another number of moments
  void set_rule(int group, const Rule& rule) {
    auto rules = rules_;
    rules.set(group, rule);
    set_rules(rules);
  }
  /// The settings of group 0, and of every group that has none of its own.
  const Rule& rule(int group = 0) const { return rules_.rule(rules_.index(group)); }
  const optim::GroupRules<Rule, Backend>& rules() const { return rules_; }
  void set_rules(const optim::GroupRules<Rule, Backend>& rules) {
    rules_ = rules;
    coefficients_ = TensorOf<Coefficients, Backend>(Shape{static_cast<Index>(rules_.count())});
  }

  /// Steps that changed the parameters. Waits for them.
  std::int64_t applied_steps() const { return read(applied()); }
  /// All steps of this optimizer, skipped ones too. Waits for them.
  std::int64_t attempted_steps() const { return read(attempted()); }
  /// The rate of the next step. Waits for the steps before.
  double learning_rate(int group = 0) const {
    return rule(group).learning_rate * rules_.factor(applied_steps());
  }

  /// What this optimizer's parameters take, in bytes; nothing is rounded or estimated.
  optim::MemoryUse memory() const {
    optim::MemoryUse use;
    std::size_t at = 0;
    store()->for_each_segment([&](auto& segment) {
      const Index moments = arenas_[at++].moments.size() * Index{sizeof(Moment)};
      if (!serves(segment)) return;
      use.parameters += segment.size();
      use.weights += segment.value_bytes();
      use.gradients += segment.gradient_bytes();
      use.beside_weights += segment.beside_bytes();
      use.moments += moments;
    });
    return use;
  }
  /// Bytes kept besides the parameters and their gradients: moments, and what is beside 16-bit
  /// weights.
  Index optimizer_bytes() const {
    const optim::MemoryUse use = memory();
    return use.beside_weights + use.moments;
  }

  /// Calls visitor(name, tensor) for all that a checkpoint must hold besides the model; the tensor
  /// shares the optimizer's memory and may be written.
  template <class Visitor>
  void visit_state(Visitor&& visitor) {
    TensorOf<std::int64_t, Backend> counter = counters_.rows(0, 1);
    visitor(std::string("attempted_steps"), counter);
    counter = counters_.rows(1, 1);
    visitor(std::string("applied_steps"), counter);
    for (std::size_t i = 0; i < store()->count(); ++i) {
      const auto& segment = store()->segment_of(i);
      if (!serves(segment)) continue;
      const ParameterInfo& info = store()->info(i);
      visit_moments(info, store()->offset_of(i), segment.size(), arenas_[find_segment(segment, 0)],
                    visitor);
    }
  }

  const Parameters<Setup>& parameters() const { return parameters_; }
  const std::shared_ptr<typename Parameters<Setup>::Store>& store() const {
    return parameters_.store();
  }

 private:
  /// What is kept for a segment: each moment of all its weights after the other; for a TensorRule
  /// each parameter's state after the other.
  struct Arena {
    TensorOf<Moment, Backend> moments;
    std::vector<std::pair<Index, Index>> places;  ///< offset in the segment, offset here
  };

  static const Rule& rule_of(const Wrapper_& wrapper) {
    if constexpr (optim::UpdateWrapper<Wrapper_>) {
      return wrapper.rule;
    } else {
      return wrapper;
    }
  }
  template <class T>
  static TensorOf<T, Backend> zeros(Index count) {
    TensorOf<T, Backend> tensor(Shape{count});
    Backend::clear(count, tensor.data());
    return tensor;
  }
  template <class Segment>
  bool serves(const Segment& segment) const {
    return !segment.frozen() && parameters_.has_group(segment.group());
  }
  template <class Segment>
  static void prepare(Segment& segment) {
    if constexpr (Segment::has_masters) {
      if constexpr (requires { Wrapper::beside; })
        segment.keep(Wrapper::beside);
      else
        fail<PrecisionError>("Optimizer: this model has ",
                             numeric_traits<typename Segment::Storage>::name,
                             " parameters, and must say how small updates survive; wrap the rule: ",
                             "MasterWeights{...}, SplitMaster{...}, StochasticRounding{...}, ",
                             "KahanSum{...} or UnsafeNearest{...}");
    }
  }
  template <class Segment>
  Arena arena_of(Segment& segment) const {
    Arena arena;
    Index size = 0;
    if constexpr (optim::ElementRule<Rule>) {
      size = optim::moments_kept(rule()) * segment.size();
    } else {
      for (const auto& slot : segment.slots()) {
        arena.places.push_back({slot->offset(), size});
        size += rule().state_size(slot->shape());
      }
    }
    if (size > 0) arena.moments = zeros<Moment>(size);
    return arena;
  }
  /// The place of a segment among all of the store's, searched from `first` on.
  template <class Segment>
  std::size_t find_segment(const Segment& wanted, std::size_t first) const {
    std::size_t at = 0;
    std::size_t found = first;
    store()->for_each_segment([&](auto& segment) {
      if (static_cast<const void*>(&segment) == static_cast<const void*>(&wanted)) found = at;
      ++at;
    });
    return found;
  }

  /// Runs the pass with as many moments as the settings keep.
  template <class Segment, class G>
  void update(const optim::StepContext<Rule>& context, Segment& segment, In<G> gradients,
              Arena& arena, const Rule& rule) {
    if constexpr (optim::ElementRule<Rule>)
      update_elements<optim::fewest_moments<Rule>()>(context, segment, gradients, arena, rule);
    else
      update_tensors(context, segment, gradients, arena, rule);
  }
  template <int Kept, class Segment, class G>
  void update_elements(const optim::StepContext<Rule>& context, Segment& segment, In<G> gradients,
                       Arena& arena, const Rule& rule) {
    if constexpr (Kept < Rule::moments) {
      if (optim::moments_kept(rule) != Kept)
        return update_elements<Kept + 1>(context, segment, gradients, arena, rule);
    }
    Moment* const moments = arena.moments.data();
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      Wrapper::template update<Backend>(
          context, segment, gradients,
          InOut<Moment>{moments + static_cast<Index>(I) * segment.size()}...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(Kept)>());
  }
  /// Lets the rule write each parameter's update, and the wrapper add them all.
  template <class Segment, class G>
  void update_tensors(const optim::StepContext<Rule>& context, Segment& segment, In<G> gradients,
                      Arena& arena, const Rule& rule) {
    using Full = typename Segment::Full;
    const TensorOf<Full, Backend> weights = segment.full_values();
    TensorOf<Full, Backend> updates = zeros<Full>(segment.size());
    std::size_t next = 0;
    for (const auto& slot : segment.slots()) {
      const auto [offset, place] = arena.places[next++];
      rule.template direction<Backend>(context, slot->shape(), gradients.data + offset,
                                       weights.data() + offset, arena.moments.data() + place,
                                       updates.data() + offset);
    }
    using Adding = typename optim::Rewrapped<Wrapper, optim::AddUpdate>::type;
    const optim::StepContext<optim::AddUpdate> adding{context.gradients, no_coefficients_.data(),
                                                      context.attempted, context.seed,
                                                      context.segment,   context.out_of_range};
    Adding::template update<Backend>(adding, segment, in(updates.read()));
  }

  template <class Visitor>
  void visit_moments(const ParameterInfo& info, Index offset, Index segment_size, Arena& arena,
                     Visitor&& visitor) {
    const auto part = [&](const std::string& name, Index first, const Shape& shape) {
      TensorOf<Moment, Backend> moment = arena.moments.rows(first, shape.size()).reshaped(shape);
      visitor(info.name + name, moment);
    };
    if constexpr (optim::ElementRule<Rule>) {
      for (Index m = 0; m < arena.moments.size() / segment_size; ++m)
        part("/moment" + std::to_string(m), m * segment_size + offset, info.shape);
    } else {
      for (const auto& [of_parameter, place] : arena.places)
        if (of_parameter == offset) part("/state", place, Shape{rule().state_size(info.shape)});
    }
  }

  /// Where the counters lie, on the device.
  std::int64_t* attempted() { return counters_.data(); }
  const std::int64_t* attempted() const { return counters_.data(); }
  std::int64_t* applied() { return counters_.data() + 1; }
  const std::int64_t* applied() const { return counters_.data() + 1; }
  template <class T>
  static T read(const T* from) {
    T value{};
    Backend::download(from, std::span<T>(&value, 1));
    return value;
  }

  /// Where weights have a limited range: stops a run in which a weight left it.
  void watch_range() {
    if constexpr (requires { Wrapper::require_range(parameters_); }) {
      if (!Backend::DeviceType::host_accessible && ++unwatched_ < 20) return;
      unwatched_ = 0;
      if (read(std::as_const(out_of_range_).data()) != 0) Wrapper::fail_out_of_range(parameters_);
    }
  }

  Parameters<Setup> parameters_;
  optim::GroupRules<Rule, Backend> rules_;
  std::vector<Arena> arenas_;                 ///< per segment of the model
  TensorOf<std::int64_t, Backend> counters_;  ///< steps attempted, steps applied
  TensorOf<Coefficients, Backend> coefficients_;
  TensorOf<optim::AddUpdate::Coefficients, Backend> no_coefficients_;
  TensorOf<std::int32_t, Backend> out_of_range_;
  int unwatched_ = 0;
};

}  // namespace halfstep
