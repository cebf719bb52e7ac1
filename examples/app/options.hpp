#pragma once

#include <halfstep/backend/cpu/threads.hpp>
#include <halfstep/backend/default.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

namespace app {

/// A command line that cannot be meant: exit code 2. Everything else that fails exits with 1.
struct CommandLineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What every training program can be told. A program adds those options that it has.
struct Options {
  std::string data;
  std::string model;
  std::string precision = "all";  ///< names with commas between, or all
  std::string backend{halfstep::backend::Default::name};
  int epochs = 10;
  int batch = 128;
  std::string optimizer = "adamw";
  std::optional<double> learning_rate;
  std::int64_t seed = 1;
  int threads = 0;  ///< 0: nobody said
  std::string json;
  std::string telemetry;  ///< a file; empty: none
};

/// Sets what holds for the whole process.
inline void apply_threads(const Options& options) {
  if (options.threads > 0) halfstep::set_threads(options.threads);
}

/// A data set that the project carries: seen from where the program is started, or else from
/// build/bin, where it is built.
inline std::string carried_data(const std::string& name) {
  const std::filesystem::path here = std::filesystem::path("examples/data") / name;
  std::error_code ignored;
  if (std::filesystem::exists(here, ignored)) return here.string();
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto there = program.parent_path().parent_path().parent_path() / here;
  return !ignored && std::filesystem::exists(there, ignored) ? there.string() : here.string();
}

}  // namespace app
