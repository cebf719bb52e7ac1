#pragma once

#include <halfstep/backend/cuda/library.hpp>
#include <halfstep/backend/cuda/matmul_key.hpp>

#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

constexpr cudaDataType_t data_type(MatmulNumber number) {
  switch (number) {
    case MatmulNumber::float16:
      return CUDA_R_16F;
    case MatmulNumber::bfloat16:
      return CUDA_R_16BF;
    case MatmulNumber::float64:
      return CUDA_R_64F;
    case MatmulNumber::float32:
      break;
  }
  return CUDA_R_32F;
}

/// A product as cuBLASLt is told of it.
///
/// It counts columns first: a row-major C = A B is its C^T = B^T A^T, so that operands change
/// places, and its D is [n, m]. Its bias, one number for each of D's rows, is ours for each column;
/// the gradient of that is what its backward epilogues sum. Of the sums of an operand, BGRADA's are
/// of our b, [n], and BGRADB's of our a, [m]: the bias gradient that comes with a weight gradient
/// upstream^T x.
class MatmulDescription {
 public:
  explicit MatmulDescription(const MatmulKey& key) : is_double_(key.sum == MatmulSum::float64) {
    const cublasComputeType_t sum = is_double_                   ? CUBLAS_COMPUTE_64F
                                    : key.sum == MatmulSum::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                 : CUBLAS_COMPUTE_32F;
    cublasLtMatmulDesc_t product = nullptr;
    check(cublasLtMatmulDescCreate(&product, sum, is_double_ ? CUDA_R_64F : CUDA_R_32F),
          "cublasLtMatmulDescCreate");
    product_.reset(product);
    set(CUBLASLT_MATMUL_DESC_TRANSA, key.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, key.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue(key));
    if (key.before) set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, std::int64_t{key.n});
    a_ = layout(data_type(key.in), key.transpose_a ? key.m : key.k, key.transpose_a ? key.k : key.m,
                key.batch);
    b_ = layout(data_type(key.in), key.transpose_b ? key.k : key.n, key.transpose_b ? key.n : key.k,
                key.batch);
    c_ = layout(data_type(key.out), key.n, key.m, key.batch);
  }

  /// The first algorithms that the heuristic names, sums in the compute type throughout.
  std::vector<MatmulAlgorithm> candidates(const MatmulKey& key) {
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
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, std::uint32_t{key.alignment_b});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, std::uint32_t{key.alignment_a});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, std::uint32_t{key.alignment_c});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::uint32_t{key.alignment_c});
    point_to_alignments(key);
    cublasLtMatmulHeuristicResult_t found[most_candidates] = {};
    int count = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        Library::shared().handle(), product_.get(), b_.get(), a_.get(), c_.get(), c_.get(), created,
        most_candidates, found, &count);
    // An epilogue that it does not have for these types or extents.
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return {};
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    std::vector<MatmulAlgorithm> algorithms;
    for (int i = 0; i < count; ++i)
      if (found[i].state == CUBLAS_STATUS_SUCCESS)
        algorithms.push_back(std::bit_cast<MatmulAlgorithm>(found[i].algo));
    return algorithms;
  }

  /// Whether it can be done so within the workspace.
  bool accepts(const MatmulKey& key, const MatmulAlgorithm& algorithm) {
    point_to_alignments(key);
    const auto algo = std::bit_cast<cublasLtMatmulAlgo_t>(algorithm);
    cublasLtMatmulHeuristicResult_t result{};
    return cublasLtMatmulAlgoCheck(Library::shared().handle(), product_.get(), b_.get(), a_.get(),
                                   c_.get(), c_.get(), &algo, &result) == CUBLAS_STATUS_SUCCESS &&
           result.workspaceSize <= Library::workspace_bytes;
  }

  cublasStatus_t run(const MatmulCall& call, const MatmulAlgorithm& algorithm,
                     cudaStream_t stream) {
    return is_double_ ? run_as<double>(call, algorithm, stream)
                      : run_as<float>(call, algorithm, stream);
  }

 private:
  using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

  static cublasLtEpilogue_t epilogue(const MatmulKey& key) {
    switch (key.epilogue) {
      case Epilogue::gelu:
        if (key.before)
          return key.bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
        return key.bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
      case Epilogue::gelu_backward:
        return key.bias ? CUBLASLT_EPILOGUE_DGELU_BGRAD : CUBLASLT_EPILOGUE_DGELU;
      case Epilogue::sums_of_a:
        return CUBLASLT_EPILOGUE_BGRADB;
      case Epilogue::none:
        break;
    }
    return key.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }

  template <class Scalar>
  cublasStatus_t run_as(const MatmulCall& call, const MatmulAlgorithm& algorithm,
                        cudaStream_t stream) {
    point(call.key, call.bias, call.before);
    const auto alpha = static_cast<Scalar>(call.alpha);
    const auto beta = static_cast<Scalar>(call.beta);
    const auto algo = std::bit_cast<cublasLtMatmulAlgo_t>(algorithm);
    return cublasLtMatmul(Library::shared().handle(), product_.get(), &alpha, call.b, b_.get(),
                          call.a, a_.get(), &beta, call.c, c_.get(), call.c, c_.get(), &algo,
                          Library::shared().workspace(), Library::workspace_bytes, stream);
  }

  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    check(cublasLtMatmulDescSetAttribute(product_.get(), attribute, &value, sizeof(value)),
          "cublasLtMatmulDescSetAttribute");
  }
  void point(const MatmulKey& key, const void* bias, const void* before) {
    if (key.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    if (key.before) set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, before);
  }
  /// The heuristic reads no memory there, but how these addresses are aligned.
  void point_to_alignments(const MatmulKey& key) {
    point(key, reinterpret_cast<const void*>(std::uintptr_t{4096} + key.alignment_bias),
          reinterpret_cast<const void*>(std::uintptr_t{4096} + key.alignment_before));
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

  bool is_double_;
  Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy> product_;
  Layout a_, b_, c_;
};

/// The descriptions of the process: making one takes longer than a small product.
class MatmulDescriptions {
 public:
  /// Calls f(description) while no other thread has it.
  template <class F>
  static auto with(const MatmulKey& key, const F& f) {
    static MatmulDescriptions* const all = new MatmulDescriptions;
    const std::lock_guard lock(all->mutex_);
    auto found = all->descriptions_.find(key);
    if (found == all->descriptions_.end()) {
      if (all->descriptions_.size() >= largest) all->descriptions_.clear();
      found = all->descriptions_.emplace(key, MatmulDescription(key)).first;
    }
    return f(found->second);
  }

 private:
  static constexpr std::size_t largest = 4096;
  std::mutex mutex_;
  std::unordered_map<MatmulKey, MatmulDescription, MatmulKey::Hash> descriptions_;
};

}  // namespace halfstep::inline HALFSTEP_ABI::backend::cuda
