#pragma once

#include <halfstep/core/macros.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// The compute tag of products whose FP32 operands are rounded to 10 bits of fraction on their way
/// into the tensor cores (TensorFloat-32). A GPU has them; a CPU does not.
struct tf32 {};

}  // namespace halfstep
