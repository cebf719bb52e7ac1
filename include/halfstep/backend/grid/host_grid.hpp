#pragma once

#include <halfstep/backend/grid/host_block.hpp>
#include <halfstep/backend/grid/host_device.hpp>
#include <halfstep/backend/grid/operations.hpp>
#include <halfstep/backend/grid/step_graphs.hpp>
#include <halfstep/backend/reference.hpp>
#include <halfstep/backend/separate_epilogues.hpp>

#include <atomic>
#include <cstring>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

namespace grid {

/// Where work goes that no stream orders: the thread does it.
struct HostStream {};

/// Runs kernels where they are launched, on the host's memory.
struct HostQueue {
  using Device = device::HostGrid;
  using Stream = HostStream;

  /// A graph without a GPU: it repeats the work that it was made of, not what a later step noted.
  class Graph {
   public:
    explicit Graph(const Recording<Stream>& recording) : recording_(recording) {}
    void launch() const { recording_.run({}); }

   private:
    Recording<Stream> recording_;
  };

  static Stream stream() { return {}; }
  template <class Command>
  static void enqueue(const Command& command, std::span<const std::byte> payload = {}) {
    Enqueue<Stream>::run(command, stream(), payload);
  }

  template <class Kernel>
  static void launch(const GridSize& size, const Kernel& kernel) {
    static_assert(sizeof(Kernel) <= 4096, "halfstep: more than a kernel's parameters may be");
    check_launch(size);
    enqueue(Launch<Kernel>{size, kernel});
  }
  template <class T>
  static constexpr bool has_tensor_cores() {
    return true;
  }
  template <class T>
  static void upload(std::span<const T> from, T* to) {
    enqueue(Upload<T>{to}, std::as_bytes(from));
  }
  template <class T>
  static void download(const T* from, std::span<T> to) {
    synchronize();
    Reference::download(from, to);
  }
  template <class T>
  static void copy(Index n, const T* from, T* to) {
    enqueue(Copy<T>{n, from, to});
  }
  template <class T>
  static void clear(Index n, T* x) {
    enqueue(Clear<T>{n, x});
  }
  static void synchronize() {
    refuse_while_recording<HostQueue>("a wait for the device");
    ++synchronizations();
  }
  static std::atomic<std::size_t>& synchronizations() {
    static std::atomic<std::size_t> count{0};
    return count;
  }
  static IndexError* index_error() {
    static thread_local IndexError error;
    return &error;
  }

 private:
  template <class Kernel>
  struct Launch {
    GridSize size;
    Kernel kernel;
    void operator()(Stream) const {
      run_on_host(size, kernel);
      const IndexError found = *index_error();
      *index_error() = IndexError();
      found.rethrow();
    }
  };
  template <class T>
  struct Upload {
    T* to;
    void operator()(Stream, std::span<const std::byte> from) const {
      std::memcpy(to, from.data(), from.size());
    }
  };
  template <class T>
  struct Copy {
    Index n;
    const T* from;
    T* to;
    void operator()(Stream) const { Reference::copy(n, from, to); }
  };
  template <class T>
  struct Clear {
    Index n;
    T* x;
    void operator()(Stream) const { Reference::clear(n, x); }
  };
};

struct HostProducts {
  template <class In, class Compute, class Out>
  static constexpr bool has_gemm = Reference::has_gemm<In, Compute, Out>;
  template <class Compute, class In, class Out, class Bias>
  static void gemm(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    HostQueue::enqueue(Gemm<Compute, In, Out, Bias>{p, a, b, c, bias});
  }

 private:
  template <class Compute, class In, class Out, class Bias>
  struct Gemm {
    GemmProblem p;
    const In* a;
    const In* b;
    Out* c;
    const Bias* bias;
    void operator()(HostStream) const { Reference::gemm<Compute>(p, a, b, c, bias); }
  };
};

}  // namespace grid

/// A GPU's kernels without a GPU, for tests: blocks one after the other, threads phase by phase.
/// Its products are the reference's.
struct HostGrid : grid::Operations<grid::HostQueue, grid::HostProducts>,
                  grid::HostProducts,
                  SeparateEpilogues<HostGrid> {
  static constexpr std::string_view name = "host_grid";
  using StepGraphs = grid::StepGraphs<grid::HostQueue>;
  /// How often the host would have waited for a GPU.
  static std::size_t synchronizations() { return grid::HostQueue::synchronizations(); }
};

}  // namespace backend
}  // namespace halfstep
