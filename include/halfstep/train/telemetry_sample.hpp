#pragma once

#include <halfstep/autograd/non_finite.hpp>

#include <algorithm>

namespace halfstep::inline HALFSTEP_ABI::train {

/// How many numbers have which binary exponent: counts[i] have first + i. No count where there is
/// none but zeros.
struct ExponentHistogram {
  int first = 0;
  std::vector<std::int64_t> counts;

  ExponentHistogram() = default;
  explicit ExponentHistogram(const ExponentCounts& all) {
    const auto& bins = all.exponents;
    std::size_t from = 0;
    std::size_t to = bins.size();
    while (from < to && bins[from] == 0) ++from;
    while (to > from && bins[to - 1] == 0) --to;
    first = from == to ? 0 : static_cast<int>(from) + ExponentCounts::lowest;
    counts.assign(bins.begin() + static_cast<std::ptrdiff_t>(from),
                  bins.begin() + static_cast<std::ptrdiff_t>(to));
  }

  bool empty() const { return counts.empty(); }
  int last() const { return first + static_cast<int>(counts.size()) - 1; }
  std::int64_t at(int exponent) const {
    return exponent < first || exponent > last()
               ? 0
               : counts[static_cast<std::size_t>(exponent - first)];
  }
  void add(const ExponentHistogram& other) {
    if (other.empty()) return;
    ExponentHistogram sum;
    sum.first = empty() ? other.first : std::min(first, other.first);
    const int end = empty() ? other.last() : std::max(last(), other.last());
    sum.counts.resize(static_cast<std::size_t>(end - sum.first + 1));
    for (const ExponentHistogram* part : {static_cast<const ExponentHistogram*>(this), &other})
      for (std::size_t i = 0; i < part->counts.size(); ++i)
        sum.counts[static_cast<std::size_t>(part->first - sum.first) + i] += part->counts[i];
    *this = std::move(sum);
  }
};

enum class TensorKind : std::uint8_t { activation, gradient, update };
constexpr std::string_view to_string(TensorKind kind) {
  return kind == TensorKind::activation ? "activation"
         : kind == TensorKind::gradient ? "gradient"
                                        : "update";
}

/// What was counted of a tensor. Gradients without the loss scale.
struct TensorRecord {
  TensorKind kind;
  std::string name;
  std::string storage;
  Shape shape;
  std::int64_t size = 0;  ///< of all that was counted
  std::int64_t zeros = 0;
  std::int64_t infinities = 0;
  std::int64_t nans = 0;
  /// Of gradients those that would be 0 in FP16 without the loss scale; of updates those below half
  /// an ulp of their weight. Zeros are none of them.
  std::int64_t tiny = 0;
  /// Of the finite numbers; turned round where there are none.
  double smallest = std::numeric_limits<double>::infinity();
  double largest = -std::numeric_limits<double>::infinity();
  ExponentHistogram exponents;

  /// @param unit  what the range is still to be divided by
  TensorRecord(TensorKind of, std::string_view called, std::string_view stored_as,
               const Shape& extents, const ExponentCounts& counts, double unit = 1.0)
      : kind(of),
        name(called),
        storage(stored_as),
        shape(extents),
        size(extents.size()),
        zeros(counts.zeros),
        infinities(counts.infinities),
        nans(counts.nans),
        tiny(counts.tiny),
        smallest(counts.smallest / unit),
        largest(counts.largest / unit),
        exponents(counts) {}

  /// Adds what was counted at another time.
  void add(const TensorRecord& other) {
    size += other.size;
    zeros += other.zeros;
    infinities += other.infinities;
    nans += other.nans;
    tiny += other.tiny;
    smallest = std::min(smallest, other.smallest);
    largest = std::max(largest, other.largest);
    exponents.add(other.exponents);
  }
  double share(std::int64_t count) const {
    return static_cast<double>(count) / static_cast<double>(size);
  }
};

/// A step that telemetry has looked into.
struct TelemetrySample {
  std::string run;
  std::int64_t step = 0;  ///< from 0, skipped ones count
  double loss = std::numeric_limits<double>::quiet_NaN();
  double loss_scale = 1.0;
  bool applied = false;
  std::string skip_reason;
  std::optional<autograd::NonFiniteOrigin> first_non_finite;
  std::vector<TensorRecord> tensors;
};

}  // namespace halfstep
