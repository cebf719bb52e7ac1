#pragma once

#include <halfstep/backend/cpu/threads.hpp>
#include <halfstep/backend/default.hpp>
#include <halfstep/core/version.hpp>
#include <halfstep/numeric/dispatch.hpp>

#include <sstream>
#include <string>

namespace halfstep::inline HALFSTEP_ABI {

/// What this program runs on, a line each: version and default backend, instruction set, threads,
/// and the flags that would make it faster.
inline std::string describe() {
  std::ostringstream text;
  text << "halfstep " << HALFSTEP_VERSION_MAJOR << "." << HALFSTEP_VERSION_MINOR << "."
       << HALFSTEP_VERSION_PATCH << "\n";
  text << "backend: " << backend::Default::name;
#if defined(HALFSTEP_ONEDNN)
  const dnnl_version_t* const library = dnnl_version();
  text << " (oneDNN " << library->major << "." << library->minor << "." << library->patch
       << "; BF16 products "
       << (backend::OneDnn::has_native_bfloat16() ? "native"
                                                  : "widened to FP32, as this processor has none")
       << ")";
#endif
  text << "\ninstruction set of our own loops: " << name(instruction_set());
  text << "\nthreads: " << threads() << " ("
#if defined(HALFSTEP_OPENMP)
       << "OpenMP"
#else
       << "a pool of our own"
#endif
       << ")";
#if !defined(HALFSTEP_ONEDNN)
  text << "\nfaster products: link halfstep::onednn (-DHALFSTEP_ONEDNN -DHALFSTEP_OPENMP -fopenmp "
          "-ldnnl)";
#if !defined(__AVX2__)
  if (instruction_set() != InstructionSet::baseline)
    text << ", or compile with -march=native: Eigen uses only what the compiler may";
#endif
#endif
  text << "\n";
  return text.str();
}

}  // namespace halfstep
