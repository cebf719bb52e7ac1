#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace app {

/// The likeliest class of each step, with repeats merged and blanks (class 0) left out. (Graves et
/// al., ICML 2006, section 3.2: best path decoding)
///
/// @param logits  [steps, classes]
inline std::vector<std::int32_t> best_path(std::span<const float> logits, std::size_t classes) {
  std::vector<std::int32_t> symbols;
  std::ptrdiff_t before = 0;
  for (std::size_t at = 0; at < logits.size(); at += classes) {
    const auto step = logits.subspan(at, classes);
    const std::ptrdiff_t best = std::max_element(step.begin(), step.end()) - step.begin();
    if (best != before && best != 0) symbols.push_back(static_cast<std::int32_t>(best));
    before = best;
  }
  return symbols;
}

/// The fewest insertions, deletions and replacements that make one sequence of the other.
/// (Levenshtein 1966)
inline std::size_t edit_distance(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace app
