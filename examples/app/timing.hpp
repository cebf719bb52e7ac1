#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace app {

/// A clock that runs since it was made.
class Stopwatch {
 public:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

/// How long a call takes.
template <class F>
double milliseconds(const F& f) {
  const Stopwatch watch;
  f();
  return watch.milliseconds();
}

/// The middle of some times; they are put in another order.
inline double median(std::vector<double>& values) {
  if (values.empty()) return 0.0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace app
