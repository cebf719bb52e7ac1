#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace halfstep::test {

/// A test with a folder of its own for files.
struct ScratchFolder : testing::Test {
  std::filesystem::path folder;

  ScratchFolder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder = std::filesystem::temp_directory_path() /
             (std::string("halfstep_") + test->test_suite_name() + "_" + test->name());
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  ~ScratchFolder() override { std::filesystem::remove_all(folder); }

  std::string path(std::string_view name) const { return folder / name; }
  std::string write(std::string_view name, std::string_view content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
};

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What an action throws as `Kind` says; empty where it throws nothing.
template <class Kind, class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Kind& error) {
    return error.what();
  }
  return "";
}

/// A number's bytes, the most significant first or last.
template <class T>
std::string bytes_of(T value, bool big_endian) {
  std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
  if (big_endian) bytes = {bytes.rbegin(), bytes.rend()};
  return bytes;
}

}  // namespace halfstep::test
