#pragma once

#include <halfstep/autograd/gradient_state.hpp>
#include <halfstep/autograd/parameters.hpp>

#include <cmath>
#include <concepts>
#include <tuple>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// The state of gradients that still carry the loss scale: they must be unscaled before anything
/// reads, clips or applies them.
struct Scaled {};
/// The state of gradients whose values are read without the loss scale.
struct Unscaled {};

namespace autograd {

/// norm = sqrt(sum of squares) / scale, once all arenas were read.
struct FinishCheck {
  GradientState* state;
  HALFSTEP_HOST_DEVICE void operator()() const {
    state->norm = std::sqrt(state->check.sum_of_squares) / state->scale;
  }
};
struct StartCheck {
  GradientState* state;
  HALFSTEP_HOST_DEVICE void operator()() const { state->check = FiniteCheck{}; }
};

/// x = f(x m) / m, with m what unscales and clips.
template <class F>
struct TransformUnscaled {
  F f;
  const GradientState* state;
  struct Ready {
    F f;
    float multiplier;
    float inverse;
    template <class N>
    HALFSTEP_INLINE void operator()(N& x) const {
      x = f(x * N(multiplier)) * N(inverse);
    }
  };
  HALFSTEP_HOST_DEVICE Ready prepared() const {
    return {f, static_cast<float>(state->multiplier()),
            static_cast<float>(1.0 / state->multiplier())};
  }
};

}  // namespace autograd

/// The gradients of a model's parameters after backward: a token for the arenas they lie in. Moving
/// it from hand to hand is how the steps of training follow each other; there is one per model at a
/// time.
///
/// @tparam State  Scaled or Unscaled. Only unscaled gradients can be read, clipped and applied.
template <class State, class Setup_>
class [[nodiscard]] Gradients {
 public:
  using Setup = Setup_;
  using Backend = typename Setup::Backend;
  using Store = ParameterStore<Backend>;

  Gradients(std::shared_ptr<Store> store, TensorOf<GradientState, Backend> state,
            GroupSet groups = all_groups)
      : store_(std::move(store)), state_(std::move(state)), groups_(groups) {
    store_->hold_gradients(groups_, true);
  }
  Gradients(Gradients&& other) noexcept
      : store_(std::move(other.store_)),
        state_(std::move(other.state_)),
        groups_(other.groups_),
        accumulated_(other.accumulated_),
        checked_(other.checked_) {}
  Gradients& operator=(Gradients&& other) noexcept {
    if (this != &other) {
      release();
      store_ = std::move(other.store_);
      state_ = std::move(other.state_);
      groups_ = other.groups_;
      accumulated_ = other.accumulated_;
      checked_ = other.checked_;
    }
    return *this;
  }
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;
  ~Gradients() { release(); }

  const std::shared_ptr<Store>& store() const {
    require("use");
    return store_;
  }
  /// The groups of parameters whose gradients these are.
  GroupSet groups() const { return groups_; }
  /// Where the state lies, on the device.
  GradientState* state() {
    require("use");
    return state_.data();
  }
  const GradientState* state() const {
    require("use");
    return state_.data();
  }

  /// Reads the gradients once: found-inf flag and norm. Does nothing when they were checked and not
  /// changed since.
  void check() {
    require("check");
    if (std::exchange(checked_, true)) return;
    Backend::once(autograd::StartCheck{state_.data()});
    store_->for_each_segment([&](auto& segment) {
      if (has(segment)) segment.check_gradients(accumulated_, &state_.data()->check);
    });
    Backend::once(autograd::FinishCheck{state_.data()});
  }

  /// Calls f(Segment&, View<const G>) for each arena; G is the parameters' storage type, or float
  /// where micro-batches were accumulated in FP32.
  template <class F>
  void for_each_arena(F&& f) {
    with_arenas([&](auto& segment, auto& arena) { f(segment, arena.read()); });
  }

  /// The 2-norm of all gradients, unscaled. Waits for them.
  double norm() {
    only_unscaled();
    check();
    return download().norm;
  }
  /// Whether all gradients are finite. Waits for them.
  bool finite() {
    only_unscaled();
    check();
    return download().check.found_inf == 0;
  }
  /// The gradient of one parameter in FP32, without the loss scale, clipped. Waits for it.
  /// @throws UsageError  there is no parameter of that name, or it has no gradient here
  std::vector<float> read(std::string_view name) {
    only_unscaled();
    require("read");
    const std::size_t index = store_->find(name);
    if (!has(store_->segment_of(index)))
      fail<UsageError>("read gradients: parameter '", name,
                       "' is frozen or in another token's part");
    std::vector<float> values(static_cast<std::size_t>(store_->info(index).shape.size()));
    store_->segment_of(index).read_gradients(accumulated_, store_->offset_of(index), values);
    const double multiplier = download().multiplier();
    for (float& value : values) value = static_cast<float>(value * multiplier);
    return values;
  }
  /// Replaces every gradient g by f(g), computed on the unscaled value in FP32 and stored scaled;
  /// they are checked again before the step. `f` is a functor over a number (see
  /// numeric/packet.hpp).
  template <class F>
  void transform(const F& f) {
    only_unscaled();
    change_stored(autograd::TransformUnscaled<F>{f, state()});
  }
  /// Runs an elementwise pass over the gradients as they are stored: `state()` says what they have
  /// to be multiplied by. They are checked again before the step.
  template <class Pass>
  void change_stored(const Pass& pass) {
    only_unscaled();
    require("transform");
    checked_ = false;
    with_arenas([&](auto&, auto& arena) {
      Backend::for_each_element(arena.size(), pass, in_out(arena.view()));
    });
  }

  /// Divides the gradients between optimizers of parts of the model, a token each; what no part
  /// has is let go. Each is checked by itself: its optimizer skips alone.
  ///
  ///   auto [of_matrices, of_vectors] =
  ///       std::move(gradients).split(parameters.only({0}), parameters.only({1}));
  ///
  /// @throws UsageError  two parts have a group in common, or one is of another model
  template <std::same_as<Parameters<Setup>>... Parts>
  auto split(const Parts&... parts) && {
    require("split");
    GroupSet seen = 0;
    const auto check_part = [&](const Parameters<Setup>& part) {
      if (part.store() != store_)
        fail<UsageError>("split: a part belongs to another model than these gradients");
      if ((seen & part.groups()) != 0)
        fail<UsageError>("split: two parts have a group in common; divide the model with ",
                         "parameters.only({...}) and parameters.without({...})");
      seen |= part.groups();
    };
    (check_part(parts), ...);
    const auto store = store_;
    const auto state = state_;
    const bool accumulated = accumulated_;
    const GroupSet groups = groups_;
    release();
    const auto token = [&](const Parameters<Setup>& part) {
      TensorOf<GradientState, Backend> own(Shape{1});
      Backend::copy(1, state.data(), own.data());
      Gradients made(store, std::move(own), groups & part.groups());
      made.carry(accumulated, false);
      return made;
    };
    return std::tuple<decltype(token(parts))...>{token(parts)...};
  }

  /// Marks FP32 sums over micro-batches as what is read from now on.
  void set_accumulated() {
    accumulated_ = true;
    checked_ = false;
  }
  bool accumulated() const { return accumulated_; }

  /// The same gradients under the other state's type. For LossScaler, which alone may unscale.
  template <class Other>
  Gradients<Other, Setup> into() && {
    require("unscale");
    Gradients<Other, Setup> other(std::move(store_), std::move(state_), groups_);
    other.carry(accumulated_, checked_);
    return other;
  }
  void carry(bool accumulated, bool checked) {
    accumulated_ = accumulated;
    checked_ = checked;
  }
  /// Ends the token's life: the optimizer has applied it.
  void release() {
    if (store_ != nullptr) store_->hold_gradients(groups_, false);
    store_.reset();
  }

 private:
  static constexpr void only_unscaled() {
    static_assert(std::same_as<State, Unscaled>,
                  "halfstep: these gradients still carry the loss scale; unscale them before they "
                  "are looked at or changed: scaler.unscale(std::move(gradients))");
  }
  /// Calls f(segment, arena) with the arena that counts: the gradients, or the FP32 sums.
  template <class F>
  void with_arenas(F&& f) {
    require("read");
    store_->for_each_stored(typename Setup::Storages{}, [&](auto& segment) {
      using Segment = std::remove_reference_t<decltype(segment)>;
      if (!has(segment)) return;
      if constexpr (Segment::has_masters &&
                    std::same_as<typename Setup::GradientAccumulator, float>) {
        if (accumulated_) return f(segment, segment.accumulators());
      }
      f(segment, segment.gradients());
    });
  }
  template <class Segment>
  bool has(const Segment& segment) const {
    return !segment.frozen() && (groups_ >> segment.group() & 1) != 0;
  }
  void require(const char* action) const {
    if (store_ == nullptr)
      fail<UsageError>(action, " gradients: this token was moved from or is used up; keep the one ",
                       "that the last call returned");
  }
  GradientState download() const {
    GradientState state;
    Backend::download(state_.data(), std::span<GradientState>(&state, 1));
    return state;
  }

  std::shared_ptr<Store> store_;
  TensorOf<GradientState, Backend> state_;
  GroupSet groups_ = all_groups;
  bool accumulated_ = false;
  bool checked_ = false;
};

}  // namespace halfstep
