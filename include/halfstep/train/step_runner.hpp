#pragma once

#include <halfstep/autograd/observer.hpp>
#include <halfstep/ops/graph_use.hpp>

namespace halfstep::inline HALFSTEP_ABI::train {

/// Runs a trainer's steps as its backend runs them best: as graphs where it has
/// `Backend::StepGraphs`, else operation by operation.
template <class Backend>
class StepRunner {
 public:
  /// @param graph  whether the step may run as a graph
  template <class Step>
  auto run(bool, const Step& step) {
    return step();
  }
  GraphUse use() const { return {}; }
};

template <class Backend>
requires requires { typename Backend::StepGraphs; }
class StepRunner<Backend> {
 public:
  template <class Step>
  auto run(bool graph, const Step& step) {
    // Who observes operations reads their values while the step runs.
    if (!graph || ObserverScope::current() != nullptr) return step();
    return graphs_.run(step);
  }
  const GraphUse& use() const { return graphs_.use(); }

 private:
  typename Backend::StepGraphs graphs_;
};

}  // namespace halfstep
