#pragma once

#include <halfstep/core/macros.hpp>

namespace halfstep::inline HALFSTEP_ABI {

/// How a policy's updates survive when they are smaller than half an ulp of the stored weight.
/// Trainer wraps its rule in the class of that name in optim/.
namespace update {

struct Direct {};              ///< FP32 parameters, updated as they are
struct MasterWeights {};       ///< an FP32 master beside each 16-bit weight
struct SplitMaster {};         ///< 16 bits beside each 16-bit weight that make it a master
struct KahanSum {};            ///< what rounding took, beside each 16-bit weight
struct StochasticRounding {};  ///< no master: the stored weight is right on average
struct UnsafeNearest {};       ///< no master, rounded to nearest: small updates are lost

}  // namespace update

}  // namespace halfstep
