// What happens to 20 M gradients after backward, beside plain loops over the same bytes: the finite
// check and norm of unscale, the update, and a whole step from scaled gradients to 16-bit weights.
#include "measure/after_backward.hpp"
#include "measure/beside.hpp"
#include "measure/probes.hpp"

#include <halfstep/backend/default.hpp>

namespace {

using halfstep::Index;
using halfstep::Scaled;
using halfstep::Tensor;
using halfstep::Unscaled;
using measure::adamw;
using measure::AfterBackward;

constexpr Index parameters = 20'000'000;

/// 28 bytes a parameter, plainly: a 16-bit gradient is read and a 16-bit weight written; the FP32
/// master and two moments are read and written.
class PlainUpdate {
 public:
  PlainUpdate() {
    for (auto* each : {&master_, &first_, &second_, &gradient_, &weight_})
      std::fill(each->span().begin(), each->span().end(), 1u);
  }
  void operator()() {
    const auto at = [](Tensor<std::uint32_t>& x, std::size_t i) {
      return reinterpret_cast<measure::Words*>(x.data()) + i;
    };
    // Pieces as the optimizer has them, so that both take from the same queue.
    constexpr Index grain = 16384 / 8;
    halfstep::backend::cpu::parallel_for(parameters / 16 * 2, grain, [&](Index from, Index to) {
      const auto i = static_cast<std::size_t>(from);
      measure::update_share(at(master_, i), at(first_, i), at(second_, i), at(gradient_, i / 2),
                            at(weight_, i / 2), static_cast<std::size_t>(to - from));
    });
  }

 private:
  const halfstep::Shape words_{parameters / 8 * 8};
  Tensor<std::uint32_t> master_{words_}, first_{words_}, second_{words_}, gradient_{words_},
      weight_{words_};
};

/// `ours` beside `plain`, which move `bytes` a parameter.
template <class Ours, class Plain>
void on_all_parameters(benchmark::State& state, double bytes, Ours&& ours, Plain&& plain) {
  measure::beside(state, 1e-9 * bytes * static_cast<double>(parameters), "B/s", ours, plain);
  state.counters["ns_per_parameter"] = bytes / state.counters["GB/s"];
}

std::uint32_t read_gradients(const void* arena) {
  return measure::read(arena, static_cast<std::size_t>(parameters) * 2 / 256 * 256);
}

// Each takes one argument, the threads.

/// Found-inf flag and norm, as a training loop asks for them: one read of 2 bytes a parameter.
template <class Precision>
void unscale(benchmark::State& state) {
  halfstep::set_threads(static_cast<int>(state.range(0)));
  using Setup = halfstep::Setup<Precision>;
  AfterBackward<Setup> after(parameters);
  auto scaler = halfstep::default_scaler(after.model().parameters());
  const auto ours = [&] {
    auto gradients = scaler.unscale(after.template gradients<Scaled>());
    scaler.update();
  };
  on_all_parameters(state, 2.0, ours,
                    [&] { benchmark::DoNotOptimize(read_gradients(after.arena())); });
}

/// A library policy whose small updates survive in another way.
template <class Precision, class Kind>
struct Keeping : Precision {
  using Update = Kind;
};

/// The update alone, of gradients that were checked already. It reads gradients, and what is beside
/// weights and the moments are read and written; weights too, but those that have masters are
/// written only.
template <class Precision>
void update(benchmark::State& state) {
  halfstep::set_threads(static_cast<int>(state.range(0)));
  using Setup = halfstep::Setup<Precision>;
  AfterBackward<Setup> after(parameters);
  auto optimizer = adamw(after.model());
  const auto ours = [&] {
    auto gradients = after.template gradients<Unscaled>();
    gradients.carry(false, true);
    optimizer.step(std::move(gradients));
  };
  const auto use = optimizer.memory();
  constexpr bool masters =
      std::is_same_v<typename Precision::Update, halfstep::update::MasterWeights>;
  const double bytes = static_cast<double>(use.gradients + (masters ? 1 : 2) * use.weights +
                                           2 * (use.beside_weights + use.moments)) /
                       static_cast<double>(use.parameters);
  on_all_parameters(state, bytes, ours, PlainUpdate{});
  // The plain loop moves 28 bytes: its rate, and ours beside it.
  state.counters["ceiling"] = state.counters["ceiling"] * 28.0 / bytes;
  state.counters["ratio"] = state.counters["ratio"] * bytes / 28.0;
}

/// Unscale, clip by norm, AdamW, and the 16-bit weights: 30 bytes a parameter.
template <class Precision>
void whole_step(benchmark::State& state) {
  halfstep::set_threads(static_cast<int>(state.range(0)));
  using Setup = halfstep::Setup<Precision>;
  AfterBackward<Setup> after(parameters);
  auto optimizer = adamw(after.model());
  auto scaler = halfstep::default_scaler(after.model().parameters());
  const auto ours = [&] {
    auto gradients = scaler.unscale(after.template gradients<Scaled>());
    halfstep::optim::clip_norm(gradients, 0.01);  // less than the norm: it clips
    const auto report = scaler.step(optimizer, std::move(gradients));
    scaler.update();
    if (!report.applied() || report.clip_factor() >= 1.0) state.SkipWithError("nothing to time");
  };
  PlainUpdate update;
  on_all_parameters(state, 30.0, ours, [&] {
    benchmark::DoNotOptimize(read_gradients(after.arena()));
    update();
  });
}

void threads(benchmark::internal::Benchmark* benchmark) {
  measure::settle(benchmark);
  benchmark->ArgName("threads")->Arg(1)->Arg(2);
}
BENCHMARK_TEMPLATE(unscale, halfstep::MixedFp16)->Apply(threads);
#define UPDATES_OF(kind)                                                           \
  BENCHMARK_TEMPLATE(update, Keeping<halfstep::MixedBf16, halfstep::update::kind>) \
      ->Name("update_bf16/" #kind)                                                 \
      ->Apply(threads);                                                            \
  BENCHMARK_TEMPLATE(update, Keeping<halfstep::MixedFp16, halfstep::update::kind>) \
      ->Name("update_fp16/" #kind)                                                 \
      ->Apply(threads)
UPDATES_OF(MasterWeights);
UPDATES_OF(SplitMaster);
UPDATES_OF(StochasticRounding);
UPDATES_OF(KahanSum);
BENCHMARK_TEMPLATE(whole_step, halfstep::MixedBf16)->Apply(threads);
BENCHMARK_TEMPLATE(whole_step, halfstep::MixedFp16)->Apply(threads);

}  // namespace

BENCHMARK_MAIN();
