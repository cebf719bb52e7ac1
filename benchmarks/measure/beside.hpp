#pragma once

#include "samples.hpp"

#include <benchmark/benchmark.h>

#include <string>

namespace measure {

/// Runs ours() and ceiling() by turns, so that both meet the same neighbours, and reports the
/// medians' rates and their ratio: 1 is the ceiling.
///
/// @param work  what both do in one call, in billions of `unit` (bytes, operations)
template <class Ours, class Ceiling>
void beside(benchmark::State& state, double work, const std::string& unit, Ours&& ours,
            Ceiling&& ceiling) {
  ours();
  ceiling();
  Samples our_time;
  Samples ceiling_time;
  for (auto _ : state) {
    const double time = seconds(ours);
    state.SetIterationTime(time);
    our_time.add(time);
    ceiling_time.add(seconds(ceiling));
  }
  state.counters["G" + unit] = work / our_time.median();
  state.counters["ceiling"] = work / ceiling_time.median();
  state.counters["ratio"] = ceiling_time.median() / our_time.median();
}

/// How every benchmark here is run: rates of what was timed inside, repeated for half a second.
inline void settle(benchmark::internal::Benchmark* benchmark) {
  benchmark->UseManualTime()->Unit(benchmark::kMicrosecond)->MinTime(0.5);
}

}  // namespace measure
