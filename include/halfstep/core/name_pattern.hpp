#pragma once

#include <halfstep/core/macros.hpp>

#include <cstddef>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// Whether all of a name fits a pattern in which `*` stands for any characters, also none and also
/// dots, and `?` for exactly one, as in Python's fnmatch: "blocks.*.out" fits "blocks.11.out".
constexpr bool fits_pattern(std::string_view pattern, std::string_view name) {
  constexpr std::size_t none = std::string_view::npos;
  std::size_t p = 0, n = 0;
  std::size_t star = none;    // the last * that was passed
  std::size_t resume = none;  // where the name goes on if that * takes one character more
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != none) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace halfstep
