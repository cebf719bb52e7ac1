#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "examples/run_program.hpp"

namespace halfstep::test {

/// The objects of one event among a program's JSON lines.
inline std::vector<nlohmann::json> events(const std::string& text, const std::string& event) {
  std::vector<nlohmann::json> found;
  for (const std::string& line : lines(text)) {
    auto object = nlohmann::json::parse(line);
    if (object.at("event") == event) found.push_back(std::move(object));
  }
  return found;
}

}  // namespace halfstep::test
