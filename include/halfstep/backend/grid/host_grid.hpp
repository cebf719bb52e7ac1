#pragma once

#include <halfstep/backend/grid/host_block.hpp>
#include <halfstep/backend/grid/operations.hpp>
#include <halfstep/backend/reference.hpp>

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

namespace grid {

/// Runs kernels where they are launched, on the host's memory.
struct HostQueue {
  using Device = device::Cpu;

  template <class Kernel>
  static void launch(const GridSize& size, const Kernel& kernel) {
    static_assert(std::is_trivially_copyable_v<Kernel>,
                  "halfstep: a kernel goes to the device byte by byte");
    static_assert(sizeof(Kernel) <= 4096, "halfstep: more than a kernel's parameters may be");
    check_launch(size);
    run_on_host(size, kernel);
    const IndexError found = *index_error();
    *index_error() = IndexError();
    found.rethrow();
  }
  template <class T>
  static constexpr bool has_tensor_cores() {
    return true;
  }
  template <class T>
  static void upload(std::span<const T> from, T* to) {
    Reference::upload(from, to);
  }
  template <class T>
  static void download(const T* from, std::span<T> to) {
    Reference::download(from, to);
  }
  template <class T>
  static void copy(Index n, const T* from, T* to) {
    Reference::copy(n, from, to);
  }
  template <class T>
  static void clear(Index n, T* x) {
    Reference::clear(n, x);
  }
  static void synchronize() {}
  static IndexError* index_error() {
    static thread_local IndexError error;
    return &error;
  }
};

struct HostProducts {
  template <class In, class Compute, class Out>
  static constexpr bool has_gemm = Reference::has_gemm<In, Compute, Out>;
  template <class Compute, class In, class Out, class Bias>
  static void gemm(const GemmProblem& p, const In* a, const In* b, Out* c, const Bias* bias) {
    Reference::gemm<Compute>(p, a, b, c, bias);
  }
};

}  // namespace grid

/// A GPU's kernels without a GPU, for tests: blocks one after the other, threads phase by phase.
/// Its products are the reference's.
struct HostGrid : grid::Operations<grid::HostQueue, grid::HostProducts>, grid::HostProducts {
  static constexpr std::string_view name = "host_grid";
};

}  // namespace backend
}  // namespace halfstep
