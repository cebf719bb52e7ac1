#pragma once

#include "../measure/samples.hpp"

#include <halfstep/cuda.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace measure {

namespace cuda = halfstep::backend::cuda;

/// A point in the stream's order, whose time the device notes.
class Event {
 public:
  Event() { cuda::check(cudaEventCreate(&event_), "cudaEventCreate"); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }

  void record() { cuda::check(cudaEventRecord(event_, cuda::Stream::shared().get()), "an event"); }
  /// Waits for this event.
  double seconds_since(const Event& start) const {
    cuda::check(cudaEventSynchronize(event_), "cudaEventSynchronize");
    float milliseconds = 0.0f;
    cuda::check(cudaEventElapsedTime(&milliseconds, start.event_, event_), "cudaEventElapsedTime");
    return 1e-3 * static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// What f() launches, recorded once: replayed, it has no gaps that the host's launches would leave.
class Recording {
 public:
  /// f() must have run before: nothing may be allocated while it is recorded.
  template <class F>
  explicit Recording(const F& f) {
    const cudaStream_t stream = cuda::Stream::shared().get();
    cuda::check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                "cudaStreamBeginCapture");
    cudaGraph_t graph = nullptr;
    try {
      f();
    } catch (...) {
      cudaStreamEndCapture(stream, &graph);
      static_cast<void>(cudaGetLastError());
      throw;
    }
    cuda::check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    cuda::check(cudaGraphInstantiate(&graph_, graph, 0), "cudaGraphInstantiate");
    cuda::check(cudaGraphDestroy(graph), "cudaGraphDestroy");
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording() { cudaGraphExecDestroy(graph_); }

  void replay() const {
    cuda::check(cudaGraphLaunch(graph_, cuda::Stream::shared().get()), "cudaGraphLaunch");
  }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

/// How calls are brought to the device.
enum class Calls {
  recorded,  ///< many as one graph: short kernels, whose launches would take longer than they
  steps,     ///< each as a Trainer runs a step, a graph of its own
  launched   ///< kernel by kernel
};

/// Times f(0), f(1), ..., f(sets - 1), f(0), ... on the device. Who gives several sets of arrays
/// times their memory, not the cache's.
template <class F>
class DeviceTimer {
 public:
  /// Calls f until a group of calls that lasts 5 ms is known.
  DeviceTimer(F f, Calls calls, int sets = 1) : f_(std::move(f)), calls_(calls), sets_(sets) {
    run(3 * sets);  // loads kernels, makes plans, fills caches of memory, captures steps
    const double seconds = timed([&] { run(sets_); }) / sets_;
    const double wanted = std::clamp(group_seconds / std::max(seconds, 1e-7), 1.0, 1000.0);
    group_ = sets_ * static_cast<int>(std::ceil(wanted / sets_));
    if (calls == Calls::recorded) recording_ = std::make_unique<Recording>([&] { run(group_); });
    one();
  }

  /// Seconds of one call, from one group.
  double one() {
    return timed([&] {
             if (recording_)
               recording_->replay();
             else
               run(group_);
           }) /
           group_;
  }
  /// Groups for so long, and five at least.
  Samples samples(double seconds) {
    Samples times;
    for (double total = 0.0; times.size() < 5 || total < seconds;) {
      const double time = one();
      times.add(time);
      total += time * group_;
    }
    return times;
  }

 private:
  static constexpr double group_seconds = 5e-3;

  void run(int calls) {
    for (int i = 0; i < calls; ++i) {
      const auto call = [&] {
        f_(i % sets_);
        return true;
      };
      if (calls_ == Calls::steps)
        graphs_.run(call);
      else
        call();
    }
  }
  template <class Work>
  double timed(const Work& work) {
    start_.record();
    work();
    stop_.record();
    return stop_.seconds_since(start_);
  }

  F f_;
  Calls calls_;
  int sets_;
  halfstep::backend::Cublas::StepGraphs graphs_;
  int group_ = 1;
  Event start_, stop_;
  std::unique_ptr<Recording> recording_;
};

/// How many sets of so many bytes outgrow the device's second-level cache twice, if `most` do.
inline int sets_beyond_cache(double bytes, int most = 64) {
  int cache = 0;
  cuda::check(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, 0), "cudaDeviceGetAttribute");
  return static_cast<int>(std::clamp(std::ceil(2.0 * cache / bytes), 1.0, 1.0 * most));
}

inline std::string device_name() {
  static_cast<void>(cuda::Stream::shared());  // says what is wrong where no GPU is
  cudaDeviceProp properties{};
  cuda::check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  return properties.name;
}

/// Seconds of two things measured by turns, so that both meet the same clocks.
struct Beside {
  Samples ours;
  Samples ceiling;

  template <class Ours, class Ceiling>
  Beside(DeviceTimer<Ours>& ours_timer, DeviceTimer<Ceiling>& ceiling_timer, double seconds) {
    for (double total = 0.0; ours.size() < 5 || total < seconds;) {
      total += measure::seconds([&] {
        ours.add(ours_timer.one());
        ceiling.add(ceiling_timer.one());
      });
    }
  }
};

}  // namespace measure
