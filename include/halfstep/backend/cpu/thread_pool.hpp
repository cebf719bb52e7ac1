#pragma once

#include <halfstep/core/macros.hpp>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend::cpu {

/// The threads of a build without OpenMP. They are started when they are first needed, wait without
/// using the processor, and end with the process.
class ThreadPool {
 public:
  /// The one pool of the process.
  static ThreadPool& shared() {
    static ThreadPool pool;
    return pool;
  }
  static int processors() {
    // Asked once: Linux reads files for it, and every operation wants to know.
    static const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    return count;
  }
  /// Whether this thread is inside a `run`.
  static bool in_parallel() { return inside(); }

  /// Calls `work()` on this thread and on `count - 1` others, and waits for all of them. While
  /// another thread uses the pool, `work()` runs on this one alone: it must take what there is to
  /// do from a queue. Allocates only when the pool grows.
  template <class Work>
  void run(int count, const Work& work) {
    const std::unique_lock busy(busy_, std::try_to_lock);
    if (!busy.owns_lock()) {
      inside() = true;
      work();
      inside() = false;
      return;
    }
    grow(count - 1);
    {
      const std::lock_guard lock(mutex_);
      call_ = [](const void* object) { (*static_cast<const Work*>(object))(); };
      object_ = &work;
      open_ = count - 1;
      running_ = count - 1;
    }
    wake_.notify_all();
    inside() = true;
    work();
    inside() = false;
    std::unique_lock lock(mutex_);
    running_ -= open_;  // who has not begun by now would find nothing to do
    open_ = 0;
    done_.wait(lock, [this] { return running_ == 0; });
  }

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  ThreadPool() = default;

  static bool& inside() {
    thread_local bool value = false;
    return value;
  }

  void grow(int count) {
    while (static_cast<int>(threads_.size()) < count) threads_.emplace_back([this] { serve(); });
  }

  void serve() {
    inside() = true;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || open_ > 0; });
      if (stopping_) return;
      --open_;
      const auto call = call_;
      const void* const object = object_;
      lock.unlock();
      call(object);
      lock.lock();
      if (--running_ == 0) done_.notify_one();
    }
  }

  std::mutex busy_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::vector<std::thread> threads_;
  void (*call_)(const void*) = nullptr;
  const void* object_ = nullptr;
  int open_ = 0;     // places for threads that have not begun
  int running_ = 0;  // those, and the ones at work
  bool stopping_ = false;
};

}  // namespace backend::cpu
}  // namespace halfstep
