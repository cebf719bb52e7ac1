#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "data_paths.hpp"

namespace halfstep::test {

/// The cases of one file of reference values.
inline nlohmann::json parity_cases(const std::string& file) {
  const std::filesystem::path path = parity_folder() / file;
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  return nlohmann::json::parse(stream).at("cases");
}

/// A setting of a case, or what it is where the case does not name it.
template <class T>
T setting(const nlohmann::json& settings, const char* name, T otherwise) {
  return settings.contains(name) ? settings.at(name).get<T>() : otherwise;
}

/// Fails on settings that the test does not know: silence would mean that they were ignored.
inline void expect_only(const nlohmann::json& settings, std::initializer_list<const char*> known) {
  for (const auto& [name, value] : settings.items()) {
    bool found = false;
    for (const char* one : known) found = found || name == one;
    EXPECT_TRUE(found) << "the test does not know the setting " << name << " = " << value;
  }
}

}  // namespace halfstep::test
