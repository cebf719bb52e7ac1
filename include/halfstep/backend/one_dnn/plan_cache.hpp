#pragma once

#include <halfstep/backend/one_dnn/matmul_plan.hpp>

#include <cstdint>
#include <unordered_map>

namespace halfstep::inline HALFSTEP_ABI::backend::one_dnn {

/// The plans of one host thread: no lock, and nothing is made anew in a steady state. They are
/// destroyed with the thread.
class PlanCache {
 public:
  static PlanCache& of_this_thread() {
    engine();  // made first, so that it outlives the plans
    thread_local PlanCache cache;
    return cache;
  }

  /// @throws BackendError  this processor has no such product
  void matmul(const MatmulKey& key, const void* a, const void* b, void* c, const void* bias) {
    auto found = plans_.find(key);
    if (found == plans_.end()) {
      // Shapes that never come back (sentences of every length) must not fill the memory.
      if (plans_.size() >= largest) plans_.clear();
      found = plans_.emplace(key, MatmulPlan(key)).first;
    }
    found->second.run(stream_.get(), a, b, c, bias);
    check(dnnl_stream_wait(stream_.get()), "dnnl_stream_wait");
  }

  std::size_t size() const { return plans_.size(); }

  PlanCache(const PlanCache&) = delete;
  PlanCache& operator=(const PlanCache&) = delete;

 private:
  static constexpr std::size_t largest = 1024;

  struct Hash {
    std::size_t operator()(const MatmulKey& key) const {
      const GemmProblem& p = key.problem;
      std::uint64_t hash = 0;
      for (const Index part : {p.batch, p.m, p.n, p.k, Index{key.in}, Index{key.out},
                               Index{p.transpose_a} + 2 * Index{p.transpose_b}})
        hash = (hash ^ static_cast<std::uint64_t>(part)) * 0x9E3779B97F4A7C15u;
      return static_cast<std::size_t>(hash ^ (hash >> 32));
    }
  };

  PlanCache() {
    dnnl_stream_t created = nullptr;
    check(dnnl_stream_create(&created, engine(), dnnl_stream_default_flags), "dnnl_stream_create");
    stream_.reset(created);
  }

  Owned<dnnl_stream_t> stream_;
  std::unordered_map<MatmulKey, MatmulPlan, Hash> plans_;
};

}  // namespace halfstep
