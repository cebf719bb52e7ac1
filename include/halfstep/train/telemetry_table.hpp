#pragma once

#include <halfstep/train/telemetry_sample.hpp>

#include <ostream>
#include <sstream>

namespace halfstep::inline HALFSTEP_ABI::train {

/// Records of tensors as a table for people: shares in percent, the range of exponents, and a
/// histogram whose columns stand for the same exponents in every row, the fuller the darker.
class TelemetryTable {
 public:
  /// @param title    the first line
  /// @param records  outlive the table
  TelemetryTable(std::string title, std::span<const TensorRecord> records)
      : title_(std::move(title)), records_(records) {
    bool any = false;
    for (const TensorRecord& record : records_) {
      if (record.exponents.empty()) continue;
      first_ = any ? std::min(first_, record.exponents.first) : record.exponents.first;
      last_ = any ? std::max(last_, record.exponents.last()) : record.exponents.last();
      any = true;
    }
    per_column_ = std::max(1, (last_ - first_ + columns) / columns);
    first_ -= ((first_ % per_column_) + per_column_) % per_column_;
  }

  friend std::ostream& operator<<(std::ostream& out, const TelemetryTable& table) {
    return out << table.text();
  }

 private:
  static constexpr int columns = 32;
  using Row = std::vector<std::string>;

  std::string text() const {
    std::vector<Row> rows{
        {"", "tensor", "zero", "inf, NaN", "flushed", "< ulp/2", "exponents", axis()}};
    for (const TensorRecord& record : records_) rows.push_back(row(record));
    std::vector<std::size_t> widths(rows[0].size());
    for (const Row& row : rows)
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    std::ostringstream out;
    out << title_ << "\n";
    for (const Row& row : rows) {
      for (std::size_t i = 0; i + 1 < row.size(); ++i) {
        const std::string blanks(widths[i] - row[i].size(), ' ');
        out << (i < 2 ? row[i] + blanks : blanks + row[i]) << "  ";
      }
      out << row.back() << "\n";
    }
    return out.str();
  }

  Row row(const TensorRecord& record) const {
    const bool gradient = record.kind == TensorKind::gradient;
    const bool update = record.kind == TensorKind::update;
    const ExponentHistogram& exponents = record.exponents;
    return {std::string(to_string(record.kind)),
            record.name,
            percent(record.share(record.zeros)),
            percent(record.share(record.infinities + record.nans)),
            gradient ? percent(record.share(record.tiny)) : "",
            update ? percent(record.share(record.tiny)) : "",
            exponents.empty()
                ? "-"
                : std::to_string(exponents.first) + ".." + std::to_string(exponents.last()),
            "|" + histogram(exponents) + "|"};
  }
  static std::string percent(double share) {
    if (share == 0.0) return "0 %";
    if (share < 0.0005) return "<0.1 %";
    std::ostringstream out;
    out.setf(std::ios::fixed);
    out.precision(1);
    out << 100.0 * share << " %";
    return out.str();
  }
  /// What the columns are: the exponents of the first, and of the one after the last.
  std::string axis() const {
    const std::string from = "2^" + std::to_string(first_);
    const std::string to = "2^" + std::to_string(first_ + width() * per_column_);
    const auto gap = static_cast<std::ptrdiff_t>(width()) + 2 -
                     static_cast<std::ptrdiff_t>(from.size() + to.size());
    return from + std::string(static_cast<std::size_t>(std::max<std::ptrdiff_t>(gap, 1)), ' ') + to;
  }
  int width() const { return (last_ - first_) / per_column_ + 1; }
  std::string histogram(const ExponentHistogram& exponents) const {
    constexpr std::string_view shades = " .:-=+*#%@";
    std::vector<std::int64_t> sums(static_cast<std::size_t>(width()));
    for (int e = exponents.first; e <= exponents.last(); ++e)
      sums[static_cast<std::size_t>((e - first_) / per_column_)] += exponents.at(e);
    const std::int64_t most = *std::max_element(sums.begin(), sums.end());
    std::string line;
    for (const std::int64_t sum : sums) {
      // Blank is none at all.
      const auto level = sum == 0 ? 0 : 1 + static_cast<std::size_t>(8 * sum / most);
      line += shades[level];
    }
    return line;
  }

  std::string title_;
  std::span<const TensorRecord> records_;
  int first_ = 0;
  int last_ = 0;
  int per_column_ = 1;
};

}  // namespace halfstep
