#pragma once

#if defined(HALFSTEP_ONEDNN)
#include <halfstep/backend/one_dnn.hpp>
#else
#include <halfstep/backend/eigen.hpp>
#endif

namespace halfstep::inline HALFSTEP_ABI {
namespace backend {

/// What `Setup<Precision>` runs on: oneDNN where its build target is linked, else Eigen. A header
/// in the path decides nothing: it is no library.
#if defined(HALFSTEP_ONEDNN)
using Default = OneDnn;
#else
using Default = Eigen;
#endif

}  // namespace backend
}  // namespace halfstep
