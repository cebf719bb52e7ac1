#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace measure {

/// Seconds that f() takes.
template <class F>
double seconds(F&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Durations of one thing, measured again and again.
class Samples {
 public:
  void add(double seconds) { seconds_.push_back(seconds); }
  std::size_t size() const { return seconds_.size(); }
  double best() const { return *std::min_element(seconds_.begin(), seconds_.end()); }
  double median() const {
    std::vector<double> sorted = seconds_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
  }

 private:
  std::vector<double> seconds_;
};

}  // namespace measure
