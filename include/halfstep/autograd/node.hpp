#pragma once

#include <halfstep/autograd/observer.hpp>
#include <halfstep/core/error.hpp>
#include <halfstep/tensor/device.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::autograd {

/// A value in the history of a computation: an operation's result, or a leaf that wants a gradient.
///
/// Nodes are counted by their handles and live in the host pool, so that recording a step in steady
/// state takes nothing from the heap. One indirect call per operation, none per element.
class Node {
 public:
  explicit Node(const char* name) : name_(name), sequence_(next_sequence()) {}
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Reads this node's gradient and adds to those of its inputs; then lets go of what it saved.
  virtual void backward() = 0;
  /// Calls `visit(Node*)` for each input that wants a gradient.
  virtual void for_each_input(void (*visit)(Node*, void*), void* context) const = 0;
  /// Leaves keep their gradient and are never used up.
  bool is_leaf() const { return role() != TensorRole::result; }
  virtual TensorRole role() const { return TensorRole::result; }

  /// The gradient gathered so far, for an observer; none where none has arrived.
  virtual std::optional<ObservedTensor> observed_gradient() const { return std::nullopt; }

  const char* name() const { return name_; }
  /// What this value is called: "hidden.linear" where its operation was observed, else its name.
  std::string_view label() const { return label_.empty() ? std::string_view(name_) : label_; }
  void set_label(std::string label) { label_ = std::move(label); }
  /// Inputs have smaller numbers than what is computed from them.
  std::uint64_t sequence() const { return sequence_; }
  /// The number of the next node; it is used up by the call.
  static std::uint64_t next_sequence() {
    static std::atomic<std::uint64_t> counter{0};
    return counter.fetch_add(1, std::memory_order_relaxed);
  }
  /// Whether backward has run through this node; its value belongs to a step that is over.
  bool used_up() const { return used_up_; }

  static void* operator new(std::size_t bytes) {
    return device::Cpu::pool().allocate(bytes)->memory();
  }
  static void operator delete(void* memory) {
    using Block = device::Cpu::Pool::Block;
    device::Cpu::pool().release(static_cast<Block*>(memory) - 1);
  }

 protected:
  bool used_up_ = false;

 private:
  friend class Backward;
  template <class>
  friend class Handle;

  std::atomic<std::uint32_t> owners_{0};
  bool queued_ = false;
  const char* name_;
  std::string label_;
  std::uint64_t sequence_;
};

/// A counted handle of a node.
template <class N>
class Handle {
 public:
  Handle() = default;
  explicit Handle(N* node) : node_(node) { keep(); }
  Handle(const Handle& other) : node_(other.node_) { keep(); }
  Handle(Handle&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Handle& operator=(Handle other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Handle() {
    if (node_ != nullptr && node_->owners_.fetch_sub(1, std::memory_order_acq_rel) == 1)
      delete node_;
  }

  N* get() const { return node_; }
  N* operator->() const { return node_; }
  N& operator*() const { return *node_; }
  explicit operator bool() const { return node_ != nullptr; }

 private:
  void keep() {
    if (node_ != nullptr) node_->owners_.fetch_add(1, std::memory_order_relaxed);
  }
  N* node_ = nullptr;
};

/// Runs backward from one node through all that it was computed from, latest first.
class Backward {
 public:
  static void run(Handle<Node> last) {
    run_all(0, std::move(last));
    if (ObserverScope* const observed = ObserverScope::current()) observed->end_backward();
  }
  /// Inside another backward: only through what was computed since `first`, a sequence number.
  /// @throws UsageError  what is older, and no leaf, took part
  static void run_since(std::uint64_t first, Handle<Node> last) { run_all(first, std::move(last)); }

 private:
  using Heap = std::vector<Handle<Node>>;
  /// The part of the thread's heap that belongs to one run; those that it runs inside of lie
  /// before.
  struct Queue {
    Heap& heap;
    std::size_t begin;
    std::uint64_t first;

    void push(Handle<Node> node) {
      node->queued_ = true;
      heap.push_back(std::move(node));
      std::push_heap(from(), heap.end(), earlier);
    }
    Handle<Node> pop() {
      std::pop_heap(from(), heap.end(), earlier);
      Handle<Node> node = std::move(heap.back());
      heap.pop_back();
      node->queued_ = false;
      return node;
    }
    bool empty() const { return heap.size() == begin; }
    /// After an exception.
    void drop() {
      while (!empty()) {
        heap.back()->queued_ = false;
        heap.pop_back();
      }
    }
    Heap::iterator from() { return heap.begin() + static_cast<std::ptrdiff_t>(begin); }
  };

  static void run_all(std::uint64_t first, Handle<Node> last) {
    // The capacity stays with the thread, so that a steady-state step does not allocate.
    static thread_local Heap heap;
    Queue queue{heap, heap.size(), first};
    queue.push(std::move(last));
    ObserverScope* const observed = ObserverScope::current();
    try {
      while (!queue.empty()) {
        const Handle<Node> node = queue.pop();
        node->for_each_input(visit, &queue);
        if (observed == nullptr)
          node->backward();
        else
          run_observed(*observed, *node);
        if (!node->is_leaf()) node->used_up_ = true;
      }
    } catch (...) {
      queue.drop();
      throw;
    }
  }
  static void visit(Node* node, void* context) {
    Queue& queue = *static_cast<Queue*>(context);
    if (node->sequence() < queue.first) {
      // A leaf keeps what it is given; anything else would run before its gradient is whole.
      if (node->is_leaf()) return;
      fail<UsageError>("checkpoint: its function uses a result of '", node->name(),
                       "' from outside that wants a gradient; hand it over as an input");
    }
    if (!node->queued_) queue.push(Handle(node));
  }
  /// Runs a node's backward and shows the gradients of its inputs, which it lets go of meanwhile.
  static void run_observed(const ObserverScope& scope, Node& node) {
    std::vector<Handle<Node>> inputs;
    node.for_each_input(
        [](Node* input, void* context) {
          auto& known = *static_cast<std::vector<Handle<Node>>*>(context);
          for (const Handle<Node>& other : known)
            if (other.get() == input) return;
          known.emplace_back(input);
        },
        &inputs);
    node.backward();
    std::vector<ObservedTensor> gradients;
    for (const Handle<Node>& input : inputs)
      if (auto gradient = input->observed_gradient()) gradients.push_back(*std::move(gradient));
    if (!gradients.empty()) scope.show(OperationGradients{node.label(), gradients});
  }

  static bool earlier(const Handle<Node>& a, const Handle<Node>& b) {
    return a->sequence() < b->sequence();
  }
};

}  // namespace halfstep
