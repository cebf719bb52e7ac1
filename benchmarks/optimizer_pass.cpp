// An optimizer's pass over 20 M parameters beside a plain loop over the same bytes.
#include "measure/beside.hpp"
#include "measure/probes.hpp"
#include "measure/random_tensor.hpp"

#include <halfstep/backend/setup.hpp>
#include <halfstep/nn/module.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/default_optimizer.hpp>

namespace {

using halfstep::Gradients;
using halfstep::GradientState;
using halfstep::Index;
using halfstep::Tensor;
using halfstep::Unscaled;

constexpr Index parameters = 20'000'000;

template <class Setup>
struct OneArena : halfstep::nn::Module<Setup> {
  typename OneArena::ParameterType weight{*this, "weight", halfstep::Shape{parameters},
                                          halfstep::Initialiser(fill)};
  static void fill(std::span<float> values, const halfstep::Shape&, std::uint64_t seed) {
    halfstep::RandomStream random(seed);
    for (float& value : values) value = 0.02f * (random.uniform() - 0.5f);
  }
};

/// The arena's gradients, checked already: what is timed is the update alone.
template <class Setup>
class Stepper {
 public:
  explicit Stepper(OneArena<Setup>& model)
      : optimizer_(halfstep::default_optimizer(model.parameters(), halfstep::optim::AdamW{})),
        store_(model.store()),
        state_(halfstep::Shape{1}) {
    *state_.data() = GradientState{};
    using T = typename Setup::Parameter;
    store_->for_each_stored(halfstep::StorageList<T>{}, [](auto& segment) {
      segment.allocate_gradients();
      segment.gradients() = measure::random_tensor<T>({segment.size()}, 3, 1e-3f);
    });
  }
  void operator()() {
    Gradients<Unscaled, Setup> gradients(store_, state_);
    gradients.carry(false, true);
    optimizer_.step(std::move(gradients));
  }

 private:
  decltype(halfstep::default_optimizer(std::declval<OneArena<Setup>&>().parameters(),
                                       halfstep::optim::AdamW{})) optimizer_;
  std::shared_ptr<halfstep::ParameterStore<typename Setup::Backend>> store_;
  Tensor<GradientState> state_;
};

/// Argument: threads. 28 bytes a parameter: a 16-bit gradient is read and a 16-bit weight written;
/// the FP32 master and two moments are read and written.
template <class Precision>
void master_weights(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  halfstep::set_threads(threads);
  using Setup = halfstep::Setup<Precision>;
  OneArena<Setup> model;
  Stepper<Setup> step(model);
  const halfstep::Shape words{parameters / 8 * 8};
  Tensor<std::uint32_t> master(words), first(words), second(words), gradient(words), weight(words);
  for (auto* each : {&master, &first, &second, &gradient, &weight})
    std::fill(each->span().begin(), each->span().end(), 1u);
  const auto plain = [&] {
    const auto at = [](Tensor<std::uint32_t>& x, std::size_t i) {
      return reinterpret_cast<measure::Words*>(x.data()) + i;
    };
    // Pieces as the optimizer has them, so that both take from the same queue.
    constexpr Index grain = 16384 / 8;
    halfstep::backend::cpu::parallel_for(parameters / 16 * 2, grain, [&](Index from, Index to) {
      const auto i = static_cast<std::size_t>(from);
      measure::update_share(at(master, i), at(first, i), at(second, i), at(gradient, i / 2),
                            at(weight, i / 2), static_cast<std::size_t>(to - from));
    });
  };
  measure::beside(state, 28e-9 * static_cast<double>(parameters), "B/s", step, plain);
}

void threads(benchmark::internal::Benchmark* benchmark) {
  measure::settle(benchmark);
  benchmark->ArgName("threads")->Arg(1)->Arg(2);
}
BENCHMARK_TEMPLATE(master_weights, halfstep::MixedBf16)->Apply(threads);
BENCHMARK_TEMPLATE(master_weights, halfstep::MixedFp16)->Apply(threads);

}  // namespace

BENCHMARK_MAIN();
