#pragma once

#include <halfstep/backend/cuda/queue.hpp>
#include <halfstep/numeric/numeric_traits.hpp>
#include <halfstep/ops/backend.hpp>
#include <halfstep/precision/product.hpp>

#include <cublasLt.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

template <class T>
inline constexpr cudaDataType_t data_type = [] {
  if constexpr (std::is_same_v<T, float16>) return CUDA_R_16F;
  if constexpr (std::is_same_v<T, bfloat16>) return CUDA_R_16BF;
  if constexpr (std::is_same_v<T, double>) return CUDA_R_64F;
  return CUDA_R_32F;
}();

template <class Compute>
inline constexpr cublasComputeType_t compute_type = [] {
  if constexpr (std::is_same_v<Compute, double>) return CUBLAS_COMPUTE_64F;
  if constexpr (std::is_same_v<Compute, tf32>) return CUBLAS_COMPUTE_32F_FAST_TF32;
  return CUBLAS_COMPUTE_32F;
}();

/// What a product's plan depends on.
struct MatmulKey {
  GemmProblem problem;  ///< its activation is not the plan's
  cudaDataType_t in = CUDA_R_32F;
  cudaDataType_t out = CUDA_R_32F;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  bool bias = false;
  /// What the addresses of a, b, c and the bias are multiples of, told truly: up to 16.
  std::uint32_t alignments[4] = {16, 16, 16, 16};

  friend bool operator==(const MatmulKey&, const MatmulKey&) = default;
  std::uint64_t hash() const {
    std::uint64_t hash = 0;
    for (const Index part :
         {problem.batch, problem.m, problem.n, problem.k, static_cast<Index>(problem.transpose_a),
          static_cast<Index>(problem.transpose_b), static_cast<Index>(problem.beta != 0.0f),
          static_cast<Index>(in), static_cast<Index>(out), static_cast<Index>(compute),
          static_cast<Index>(bias), static_cast<Index>(alignments[0]),
          static_cast<Index>(alignments[1]), static_cast<Index>(alignments[2]),
          static_cast<Index>(alignments[3])})
      hash = (hash ^ static_cast<std::uint64_t>(part)) * 0x9E3779B97F4A7C15u;
    return hash ^ (hash >> 32);
  }
};

/// A handle of cuBLASLt that is destroyed with its owner.
template <class Handle, auto Destroy>
struct DestroyHandle {
  using pointer = Handle;
  void operator()(Handle handle) const { Destroy(handle); }
};
template <class Handle, auto Destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, DestroyHandle<Handle, Destroy>>;

/// cuBLASLt, and the workspace that its products share: they run one after the other.
class Library {
 public:
  static Library& shared() {
    static Library* const library = new Library;
    return *library;
  }
  cublasLtHandle_t handle() const { return handle_; }
  void* workspace() const { return workspace_; }
  /// On Hopper the fastest kernels want 32 MiB.
  static constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

 private:
  Library() {
    static_cast<void>(Stream::shared());  // says what is wrong, where no GPU is
    check(cublasLtCreate(&handle_), "cublasLtCreate");
    check(cudaMalloc(&workspace_, workspace_bytes), "cudaMalloc of the products' workspace");
  }
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
};

/// How cuBLASLt multiplies one problem. It counts columns first: a row-major C = A B is its
/// C^T = B^T A^T, so that operands change places.
class MatmulPlan {
 public:
  using Key = MatmulKey;

  /// @throws BackendError  cuBLASLt knows no way
  explicit MatmulPlan(const Key& key) {
    const GemmProblem& p = key.problem;
    cublasLtMatmulDesc_t product = nullptr;
    const bool is_double = key.compute == CUBLAS_COMPUTE_64F;
    check(cublasLtMatmulDescCreate(&product, key.compute, is_double ? CUDA_R_64F : CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    product_.reset(product);
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (key.bias) set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    a_ = layout(key.in, p.transpose_a ? p.m : p.k, p.transpose_a ? p.k : p.m, p.batch);
    b_ = layout(key.in, p.transpose_b ? p.k : p.n, p.transpose_b ? p.n : p.k, p.batch);
    c_ = layout(key.out, p.n, p.m, p.batch);
    choose(key);
  }

  /// c = alpha a b + beta c + bias
  template <class Scalar>
  void run(Scalar alpha, Scalar beta, const void* a, const void* b, void* c, const void* bias) {
    if (bias != nullptr) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    check(
        cublasLtMatmul(Library::shared().handle(), product_.get(), &alpha, b, b_.get(), a, a_.get(),
                       &beta, c, c_.get(), c, c_.get(), &algorithm_, Library::shared().workspace(),
                       Library::workspace_bytes, Stream::shared().get()),
        "cublasLtMatmul");
  }

 private:
  using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(cublasLtMatmulDescSetAttribute(product_.get(), attribute, &value, sizeof(value)),
          "cublasLtMatmulDescSetAttribute");
  }
  /// A matrix of contiguous columns, `rows` long, of which there are batch.
  static Layout layout(cudaDataType_t type, Index rows, Index columns, Index batch) {
    cublasLtMatrixLayout_t created = nullptr;
    check(cublasLtMatrixLayoutCreate(&created, type, static_cast<std::uint64_t>(rows),
                                     static_cast<std::uint64_t>(columns), rows),
          "cublasLtMatrixLayoutCreate");
    Layout owned(created);
    const auto count = static_cast<std::int32_t>(batch);
    const std::int64_t stride = rows * columns;
    check(cublasLtMatrixLayoutSetAttribute(created, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                           sizeof(count)),
          "cublasLtMatrixLayoutSetAttribute");
    check(cublasLtMatrixLayoutSetAttribute(created, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                           &stride, sizeof(stride)),
          "cublasLtMatrixLayoutSetAttribute");
    return owned;
  }
  /// The first that cuBLASLt's heuristic names, sums in the compute type throughout.
  void choose(const Key& key) {
    cublasLtMatmulPreference_t created = nullptr;
    check(cublasLtMatmulPreferenceCreate(&created), "cublasLtMatmulPreferenceCreate");
    const Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy> preference(created);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      check(cublasLtMatmulPreferenceSetAttribute(created, attribute, &value, sizeof(value)),
            "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, Library::workspace_bytes);
    // The handle's math mode does not govern cuBLASLt: partial sums in 16 bits are refused here.
    const std::uint32_t schemes =
        CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.alignments[1]);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.alignments[0]);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.alignments[2]);
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.alignments[2]);
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    check(cublasLtMatmulAlgoGetHeuristic(Library::shared().handle(), product_.get(), b_.get(),
                                         a_.get(), c_.get(), c_.get(), created, 1, &found, &count),
          "cublasLtMatmulAlgoGetHeuristic");
    if (count == 0)
      fail<BackendError>("cuBLASLt knows no way to multiply [", key.problem.m, ", ", key.problem.k,
                         "] by [", key.problem.k, ", ", key.problem.n, "] on this GPU");
    algorithm_ = found.algo;
  }

  Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy> product_;
  Layout a_, b_, c_;
  cublasLtMatmulAlgo_t algorithm_{};
};

/// The plans of the process: heuristics cost a microsecond a call.
class MatmulPlans {
 public:
  static MatmulPlans& shared() {
    static MatmulPlans* const plans = new MatmulPlans;
    return *plans;
  }
  template <class Scalar>
  void run(const MatmulKey& key, Scalar alpha, Scalar beta, const void* a, const void* b, void* c,
           const void* bias) {
    const std::lock_guard lock(mutex_);
    auto found = plans_.find(key);
    if (found == plans_.end()) {
      // Shapes that never come back (sentences of every length) must not fill the memory.
      if (plans_.size() >= largest) plans_.clear();
      found = plans_.emplace(key, MatmulPlan(key)).first;
    }
    found->second.run(alpha, beta, a, b, c, bias);
  }

 private:
  static constexpr std::size_t largest = 4096;
  struct Hash {
    std::size_t operator()(const MatmulKey& key) const {
      return static_cast<std::size_t>(key.hash());
    }
  };
  std::mutex mutex_;
  std::unordered_map<MatmulKey, MatmulPlan, Hash> plans_;
};

/// The largest power of two up to 16 that an address is a multiple of.
inline std::uint32_t alignment_of(const void* address) {
  const auto bits = reinterpret_cast<std::uintptr_t>(address) | 16u;
  return static_cast<std::uint32_t>(bits & (~bits + 1));
}

}  // namespace halfstep
