#pragma once

#include <halfstep/numeric/bfloat16.hpp>
#include <halfstep/numeric/float16.hpp>

#include <vector>

// Internal linkage: each translation unit computes with the code that its own flags gave.
namespace {

/// What both translation units compute: conversions, whose bits no instruction set may change.
std::vector<float> computed() {
  std::vector<float> values;
  for (int i = 0; i < 4096; ++i) {
    const float value = (static_cast<float>(i) - 2048.0f) * 1.0009765f;
    values.push_back(static_cast<float>(halfstep::float16(value)));
    values.push_back(static_cast<float>(halfstep::bfloat16(value)));
  }
  return values;
}

}  // namespace
