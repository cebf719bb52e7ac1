#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/tensor/shape.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <type_traits>

#if defined(HALFSTEP_OPENMP)
#include <omp.h>
#else
#include <halfstep/backend/cpu/thread_pool.hpp>
#endif

namespace halfstep::inline HALFSTEP_ABI {

namespace backend::cpu {

/// What `set_threads` was given; 0 until then.
inline std::atomic<int>& chosen_threads() {
  static std::atomic<int> chosen{0};
  return chosen;
}

/// Whether this host thread runs everything serially (see `SerialScope`).
inline bool& serial_scope() {
  thread_local bool serial = false;
  return serial;
}

}  // namespace backend::cpu

/// How many threads an operation on the CPU may use: what `set_threads` said, else what OpenMP's
/// environment says, else the number of processors.
inline int threads() {
  const int chosen = backend::cpu::chosen_threads().load(std::memory_order_relaxed);
  if (backend::cpu::serial_scope()) return 1;
  if (chosen > 0) return chosen;
#if defined(HALFSTEP_OPENMP)
  return omp_get_max_threads();
#else
  return backend::cpu::ThreadPool::processors();
#endif
}

/// Sets the number of threads for every operation on the CPU in this process: our own loops,
/// Eigen's and oneDNN's products.
///
/// @throws BackendError  count < 1
inline void set_threads(int count) {
  if (count < 1)
    fail<BackendError>("set_threads: ", count, " threads cannot run anything; use 1 or more");
  backend::cpu::chosen_threads().store(count, std::memory_order_relaxed);
#if defined(HALFSTEP_OPENMP)
  omp_set_num_threads(count);
#endif
}

namespace backend::cpu {

/// Everything this host thread runs while the scope lives is serial. A thread that prepares data
/// beside the training thread stands in one, so that two teams do not fight for the cores.
class SerialScope {
 public:
  SerialScope() : before_(serial_scope()) { serial_scope() = true; }
  ~SerialScope() { serial_scope() = before_; }
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool before_;
};

/// Whether this code runs in the body of a `parallel_for` already.
inline bool in_parallel() {
#if defined(HALFSTEP_OPENMP)
  return omp_in_parallel() != 0;
#else
  return ThreadPool::in_parallel();
#endif
}

/// Tells OpenMP's number of threads, which is a setting of each host thread, to what this host
/// thread calls next: oneDNN and Eigen ask OpenMP and not us.
inline void tell_vendor_libraries() {
#if defined(HALFSTEP_OPENMP)
  const int wanted = threads();
  if (omp_get_max_threads() != wanted) omp_set_num_threads(wanted);
#endif
}

/// A body of `parallel_for`, whatever its type: threads are managed in one function, not in one for
/// each loop of the library.
class ChunkBody {
 public:
  template <class Body>
  explicit ChunkBody(Body& body)
      : body_(const_cast<void*>(static_cast<const void*>(&body))),
        call_([](void* held, Index first, Index last) {
          (*static_cast<Body*>(held))(first, last);
        }) {}
  void operator()(Index first, Index last) const { call_(body_, first, last); }

 private:
  void* body_;
  void (*call_)(void*, Index, Index);
};

inline void run_chunks(Index n, Index grain, const ChunkBody& body) {
  const Index chunks = (n + grain - 1) / grain;
  const auto run_chunk = [&body, n, grain](Index chunk) {
    body(chunk * grain, std::min(n, (chunk + 1) * grain));
  };
  const int wanted = static_cast<int>(std::min<Index>(threads(), chunks));
  if (wanted <= 1 || in_parallel()) {
    for (Index chunk = 0; chunk < chunks; ++chunk) run_chunk(chunk);
    return;
  }

  std::atomic<Index> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;
  const auto work = [&]() noexcept {
    try {
      for (Index chunk; (chunk = next.fetch_add(1, std::memory_order_relaxed)) < chunks;)
        run_chunk(chunk);
    } catch (...) {
      next.store(chunks, std::memory_order_relaxed);
      if (!failed.exchange(true)) error = std::current_exception();
    }
  };
#if defined(HALFSTEP_OPENMP)
#pragma omp parallel num_threads(wanted)
  work();
#else
  ThreadPool::shared().run(wanted, work);
#endif
  if (error) std::rethrow_exception(error);
}

/// Calls `body(first, last)` once for each chunk [i * grain, min((i + 1) * grain, n)).
///
/// Chunks depend on n and grain alone, never on the number of threads, and idle threads take the
/// next one: processors that others use too are seldom equally fast. One chunk, one thread, or a
/// call from inside another body runs serially. The first exception of a body reaches the caller.
template <class Body>
void parallel_for(Index n, Index grain, Body&& body) {
  if (n > 0) run_chunks(n, grain, ChunkBody(body));
}

}  // namespace backend::cpu

}  // namespace halfstep
