#pragma once

#include <halfstep/backend/cuda/uploader.hpp>
#include <halfstep/backend/reference.hpp>

#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace halfstep::test {

/// A GPU's two streams without a GPU, as hard on their users as they may be: a queue that is not
/// eager does nothing until somebody waits for it, on the host or in the other queue.
class TwoQueues {
 public:
  enum class Eager { none, upload, compute };

  struct Stream {
    std::vector<std::function<void()>> work;
    std::size_t done = 0;
  };
  /// What was recorded last: the work of a stream before some place.
  struct Event {
    Stream* stream = nullptr;
    std::size_t place = 0;
    int slot = 0;  ///< there are two events for each, created one after the other
  };

  static TwoQueues& shared() {
    static TwoQueues queues;
    return queues;
  }
  /// Begins anew.
  void start(Eager eager) {
    finish();
    eager_ = eager;
    calls_.clear();
    faults_.clear();
    events_ = 0;
    uploads_.clear();
    compute_ = {};
  }
  void add(Stream* stream, std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    stream->work.push_back(std::move(work));
    if ((eager_ == Eager::compute && stream == &compute_) ||
        (eager_ == Eager::upload && stream != &compute_))
      run(*stream, stream->work.size());
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    for (Stream& upload : uploads_) run(upload, upload.work.size());
    run(compute_, compute_.work.size());
  }

  /// What was called, and what must not have been.
  std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::vector<std::string> faults() const {
    const std::lock_guard lock(mutex_);
    return faults_;
  }
  std::size_t streams() const { return uploads_.size(); }
  Stream* compute() { return &compute_; }

  /// As cuda::Uploader asks for it.
  struct Runtime {
    using Stream = TwoQueues::Stream;
    using Event = TwoQueues::Event;
    static Stream* compute() { return shared().compute(); }
    static Stream* create_stream() {
      TwoQueues& queues = shared();
      const std::lock_guard lock(queues.mutex_);
      return &queues.uploads_.emplace_back();
    }
    static Event* create_event() { return new Event{nullptr, 0, shared().events_++ / 2}; }
    static std::byte* allocate_pinned(std::size_t bytes) { return new std::byte[bytes]; }
    static void record(Event* event, Stream* stream) {
      TwoQueues& queues = shared();
      const std::lock_guard lock(queues.mutex_);
      if (stream == &queues.compute_) queues.call("release", event);
      event->stream = stream;
      event->place = stream->work.size();
    }
    static void wait(Stream* stream, Event* event) {
      TwoQueues& queues = shared();
      const std::lock_guard lock(queues.mutex_);
      if (stream == &queues.compute_) queues.call("acquire", event);
      if (event->stream == nullptr) return;
      queues.add(stream, [&queues, from = event->stream, place = event->place] {
        queues.run(*from, place);
      });
    }
    static void wait_on_host(Event* event) {
      TwoQueues& queues = shared();
      const std::lock_guard lock(queues.mutex_);
      queues.call("staging", event);
      if (std::this_thread::get_id() == queues.owner) ++queues.waits_of_owner;
      if (event->stream != nullptr) queues.run(*event->stream, event->place);
    }
    static void copy(Stream* stream, const void* from, void* to, std::size_t bytes) {
      TwoQueues& queues = shared();
      {
        const std::lock_guard lock(queues.mutex_);
        queues.calls_.push_back("copy " + std::to_string(bytes));
      }
      queues.add(stream, [=] { std::memcpy(to, from, bytes); });
    }
    static void finish(Stream* stream) {
      TwoQueues& queues = shared();
      const std::lock_guard lock(queues.mutex_);
      queues.run(*stream, stream->work.size());
    }
    // The other queue may still come to a wait for its work.
    static void destroy(Stream*) { at_rest("stream"); }
    static void destroy(Event* event) {
      at_rest("event");
      delete event;
    }
    static void destroy(std::byte* memory) {
      at_rest("host memory");
      delete[] memory;
    }

   private:
    static void at_rest(const char* what) {
      TwoQueues& queues = shared();
      const std::lock_guard lock(queues.mutex_);
      for (const Stream& upload : queues.uploads_)
        if (upload.done != upload.work.size())
          queues.faults_.push_back(std::string(what) + " destroyed while an upload goes on");
    }
  };

  /// The thread that must not wait on the host, and how often it did.
  std::thread::id owner = std::this_thread::get_id();
  int waits_of_owner = 0;

 private:
  void call(const char* what, const Event* event) {
    calls_.push_back(std::string(what) + " " + std::to_string(event->slot));
  }
  void run(Stream& stream, std::size_t place) {
    while (stream.done < place) {
      // It counts as done first: an eager queue may come here again meanwhile.
      const auto work = std::move(stream.work[stream.done++]);
      work();
    }
  }

  mutable std::recursive_mutex mutex_;
  Eager eager_ = Eager::none;
  Stream compute_;
  std::deque<Stream> uploads_;
  std::vector<std::string> calls_, faults_;
  int events_ = 0;
};

/// Memory that the host reaches through the queues only.
struct QueuedMemory {
  static constexpr std::string_view name = "two_queues";
  static constexpr bool host_accessible = false;
  using Pool = device::Cpu::Pool;
  static Pool& pool() {
    static Pool* const pool = new Pool;
    return *pool;
  }
};

/// A backend of which a Loader sees the memory and the uploads.
struct QueuedBackend : backend::Reference {
  using DeviceType = QueuedMemory;
  using Uploader = backend::cuda::Uploader<TwoQueues::Runtime>;

  template <class T>
  static void upload(std::span<const T> from, T* to) {
    std::copy(from.begin(), from.end(), to);
  }
};

}  // namespace halfstep::test
