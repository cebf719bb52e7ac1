#pragma once

#include <halfstep/backend/cuda/status.hpp>

#include <cuda_runtime_api.h>

namespace halfstep::inline HALFSTEP_ABI::backend::cuda {

#if defined(__CUDACC__)
/// A kernel that never runs: it is compiled for what all are compiled for.
template <class = void>
__global__ void any_kernel() {}
#endif

/// Says at once, and not at the first of a step's kernels, that they are not for this GPU.
/// @throws BackendError  the program has neither code for the GPU nor PTX that its driver can
///                       compile
inline void require_compiled_code() {
#if defined(__CUDACC__)
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(&any_kernel<>)),
        "looking for this program's kernels");
#endif
}

}  // namespace halfstep
