#pragma once

#include <cstdlib>
#include <filesystem>

namespace halfstep::test {

/// The project's own folder, also where a test is compiled by hand.
inline std::filesystem::path source_folder() {
#if defined(HALFSTEP_TEST_SOURCE_DIR)
  return HALFSTEP_TEST_SOURCE_DIR;
#else
  return std::filesystem::absolute(__FILE__).parent_path().parent_path();
#endif
}

/// Where the reference values from PyTorch are; HALFSTEP_PARITY_DIR names other cases.
inline std::filesystem::path parity_folder() {
  if (const char* chosen = std::getenv("HALFSTEP_PARITY_DIR"); chosen && *chosen) return chosen;
  return source_folder() / "tests/data/parity";
}

/// The real data that the project carries: mnist/, tinyshakespeare/.
inline std::filesystem::path example_data() { return source_folder() / "examples/data"; }

/// Where the programs of examples/ and benchmarks/ are built.
inline std::filesystem::path program_folder() {
#if defined(HALFSTEP_TEST_PROGRAM_DIR)
  return HALFSTEP_TEST_PROGRAM_DIR;
#else
  return source_folder() / "build/bin";
#endif
}

}  // namespace halfstep::test
