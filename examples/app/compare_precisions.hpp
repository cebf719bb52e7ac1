#pragma once

#include <app/precisions.hpp>
#include <app/run.hpp>
#include <app/training_result.hpp>

#include <halfstep/backend/setup.hpp>

#include <vector>

namespace app {

/// Trains in each precision by turns, writes the results and prints their table. A precision that
/// is stopped leaves the others their turn, and the program fails at its end.
///
/// @tparam Extra  policies of this program's own
/// @param train   train(run) of a Run<Setup> returns its TrainingResult
/// @throws halfstep::NonFiniteError  a run was stopped
template <class Backend, class... Extra, class Train>
void compare_precisions(const std::vector<std::string>& precisions, const Options& options,
                        Progress& progress, JsonLines& json, const Train& train) {
  std::vector<TrainingResult> results;
  std::string failure;
  for (const std::string& precision : precisions) {
    try {
      with_training_precision<Backend, Extra...>(precision, [&](auto policy, const auto& scaling) {
        using Setup = halfstep::Setup<decltype(policy), Backend>;
        results.push_back(train(Run<Setup>{options, precision, scaling, progress, json}));
      });
      json.write(results.back().json());
    } catch (const halfstep::NonFiniteError& error) {
      TrainingResult& result = results.emplace_back();
      result.precision = precision;
      result.stopped = true;
      json.write({{"event", "error"}, {"precision", precision}, {"message", error.what()}});
      if (failure.empty()) failure = precision + ": " + error.what();
    }
  }
  progress.clear();
  progress.out() << "\n";
  print_table(progress.out(), results);
  if (!failure.empty()) halfstep::fail<halfstep::NonFiniteError>(failure);
}

}  // namespace app
