#pragma once

#include <halfstep/backend/one_dnn/library.hpp>
#include <halfstep/core/hash.hpp>

#include <unordered_map>

namespace halfstep::inline HALFSTEP_ABI::backend::one_dnn {

/// The plans of one kind of one host thread: no lock, and nothing is made anew in a steady state.
/// They are destroyed with the thread.
///
/// @tparam Plan  made from a Plan::Key, which has a hash(); run(stream, arguments...)
template <class Plan>
class PlanCache {
 public:
  using Key = typename Plan::Key;

  static PlanCache& of_this_thread() {
    engine();  // made first, so that it outlives the plans
    thread_local PlanCache cache;
    return cache;
  }

  /// @throws BackendError  this processor cannot do it
  Plan& plan(const Key& key) {
    auto found = plans_.find(key);
    if (found == plans_.end()) {
      // Shapes that never come back (sentences of every length) must not fill the memory.
      if (plans_.size() >= largest) plans_.clear();
      found = plans_.emplace(key, Plan(key)).first;
    }
    return found->second;
  }
  template <class... Arguments>
  void run(Plan& plan, Arguments... arguments) {
    plan.run(stream_.get(), arguments...);
    check(dnnl_stream_wait(stream_.get()), "dnnl_stream_wait");
  }

  std::size_t size() const { return plans_.size(); }

  PlanCache(const PlanCache&) = delete;
  PlanCache& operator=(const PlanCache&) = delete;

 private:
  static constexpr std::size_t largest = 1024;

  struct Hash {
    std::size_t operator()(const Key& key) const { return static_cast<std::size_t>(key.hash()); }
  };

  PlanCache() {
    dnnl_stream_t created = nullptr;
    check(dnnl_stream_create(&created, engine(), dnnl_stream_default_flags), "dnnl_stream_create");
    stream_.reset(created);
  }

  Owned<dnnl_stream_t> stream_;
  std::unordered_map<Key, Plan, Hash> plans_;
};

}  // namespace halfstep
