#pragma once

#include <halfstep/core/macros.hpp>

#include <limits>
#include <optional>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

/// How often a race runs each way: once to warm up, then in so many rounds so many times. The
/// smallest time of a round counts: others on the machine can only add to it.
inline constexpr int race_rounds = 5;
inline constexpr int race_runs = 2;

/// The fastest of several ways to do the same; of equals the first. Ways take turns, so that a
/// clock that drifts serves none.
///
/// @tparam Clock  has `elapsed(f)`: how long what f asks for takes, in any unit; waits
/// @param run     run(way) asks for it once; false where it fails
/// @return  nothing where all ways fail
template <class Clock, class Way, class Run>
std::optional<Way> fastest(const std::vector<Way>& ways, const Run& run) {
  struct Entrant {
    const Way* way;
    double time = std::numeric_limits<double>::infinity();
  };
  std::vector<Entrant> entrants;
  for (const Way& way : ways)
    if (run(way)) entrants.push_back({&way});
  for (int round = 0; round < race_rounds; ++round)
    for (Entrant& entrant : entrants) {
      const double time = Clock::elapsed([&] {
        for (int i = 0; i < race_runs; ++i) run(*entrant.way);
      });
      if (time < entrant.time) entrant.time = time;
    }
  const Entrant* best = nullptr;
  for (const Entrant& entrant : entrants)
    if (best == nullptr || entrant.time < best->time) best = &entrant;
  return best == nullptr ? std::nullopt : std::optional<Way>(*best->way);
}

}  // namespace halfstep::inline HALFSTEP_ABI::backend::cuda
