#pragma once

#include <halfstep/backend/grid/recording.hpp>
#include <halfstep/core/error.hpp>
#include <halfstep/ops/graph_use.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::grid {

/// Runs the steps of a training loop as graphs: one launch instead of hundreds.
///
/// A step's host code always runs. What it asks of the queue is noted instead of begun; where the
/// recording equals one that a graph was made of (operations, shapes, addresses, attributes), the
/// graph is replayed. A recording that is seen for the first time begins operation by operation,
/// which also fills the plan caches; one that comes a second time is made a graph. So shapes that
/// never return cost no graph, and each batch shape and accumulation phase that does has its own.
///
/// @tparam Queue  `Stream`, `stream()`, and `Graph`, which is made of a Recording and has
/// `launch()`
template <class Queue>
class StepGraphs {
  using Door = Enqueue<typename Queue::Stream>;

 public:
  using Recorded = Recording<typename Queue::Stream>;

  /// What `body()` returns; its work has begun when the call comes back. Where the body throws,
  /// nothing of it is begun.
  template <class Body>
  auto run(const Body& body) {
    // Inside a step that is being recorded: a part of it.
    if (Door::recorder() != nullptr) return body();
    using Pool = typename Queue::Device::Pool;
    recording_.clear();
    Step step(*this);
    // Noted work uses memory that the host code has given back already.
    const typename Pool::KeepReleased kept(Queue::Device::pool(), [&] {
      const typename Door::AtOnce now;  // memory is short
    });
    auto result = [&] {
      const Scope recorded(step);
      return body();
    }();
    begin(step.begun_early);
    return result;
  }

  const GraphUse& use() const { return use_; }

 private:
  /// Enough for a batch, a smaller last one, a few phases of accumulation, and reports that are
  /// held in turns.
  static constexpr std::size_t most_kept = 16;

  struct Kept {
    Recorded recording;
    std::unique_ptr<typename Queue::Graph> graph;
    bool capturable = true;
  };

  /// The step that this thread notes.
  struct Step final : Door::Recorder {
    explicit Step(StepGraphs& graphs) : graphs(graphs) {}
    Recorded& recording() override { return graphs.recording_; }
    void begin_early() override {
      graphs.recording_.run(Queue::stream());
      graphs.recording_.clear();
      begun_early = true;
    }
    StepGraphs& graphs;
    bool begun_early = false;
  };
  struct Scope {
    explicit Scope(Step& step) { Door::recorder() = &step; }
    ~Scope() { Door::recorder() = nullptr; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
  };

  void begin(bool begun_early) {
    if (begun_early) {
      ++use_.direct;
      return recording_.run(Queue::stream());
    }
    for (std::size_t i = 0; i < kept_.size(); ++i)
      if (kept_[i]->recording == recording_) {
        // The latest stands first.
        std::rotate(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(i),
                    kept_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        return begin_again(*kept_.front());
      }
    ++use_.direct;
    recording_.run(Queue::stream());
    std::unique_ptr<Kept> kept;
    if (kept_.size() == most_kept) {
      kept = std::move(kept_.back());
      kept_.pop_back();
      kept->graph.reset();
      kept->capturable = true;
    } else {
      kept = std::make_unique<Kept>();
    }
    std::swap(kept->recording, recording_);
    kept_.insert(kept_.begin(), std::move(kept));
  }
  void begin_again(Kept& kept) {
    if (kept.graph != nullptr) {
      ++use_.replayed;
    } else {
      if (kept.capturable) {
        try {
          kept.graph = std::make_unique<typename Queue::Graph>(kept.recording);
        } catch (const BackendError&) {
          // Something in it cannot be captured: such steps go on without a graph.
          kept.capturable = false;
        }
      }
      if (kept.graph == nullptr) {
        ++use_.direct;
        return kept.recording.run(Queue::stream());
      }
      ++use_.captured;
    }
    kept.graph->launch();
  }

  Recorded recording_;
  std::vector<std::unique_ptr<Kept>> kept_;
  GraphUse use_;
};

/// @throws UsageError  the thread records a step
template <class Queue>
void refuse_while_recording(const char* what) {
  if (Enqueue<typename Queue::Stream>::recorder() != nullptr)
    fail<UsageError>(what,
                     " inside a step that runs as a graph: its values have not been computed yet; "
                     "read them from the step's report, after the step, or train with "
                     "TrainerSettings{.graph = false}");
}

}  // namespace halfstep
