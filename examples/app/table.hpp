#pragma once

#include <algorithm>
#include <cstdint>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace app {

/// A number with so many digits behind the point.
inline std::string fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

/// 1234567 as "1,234,567".
inline std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::ptrdiff_t first = value < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > first; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

/// Bytes in the unit that leaves one to three digits before the point.
inline std::string bytes(double count) {
  for (const char* unit : {"B", "KiB", "MiB"}) {
    if (count < 1024.0) return fixed(count, *unit == 'B' ? 0 : 1) + " " + unit;
    count /= 1024.0;
  }
  return fixed(count, 1) + " GiB";
}

/// A table of text: the first column at the left, all others at the right, under headings that may
/// have several lines ("\n" between them).
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  void add(std::vector<std::string> row) {
    row.resize(headings_.size());
    rows_.push_back(std::move(row));
  }

  friend std::ostream& operator<<(std::ostream& out, const Table& table) {
    std::vector<std::vector<std::string>> heading_lines;
    for (std::size_t column = 0; column < table.headings_.size(); ++column) {
      std::istringstream heading(table.headings_[column]);
      std::string text;
      for (std::size_t line = 0; std::getline(heading, text); ++line) {
        if (line == heading_lines.size()) heading_lines.emplace_back(table.headings_.size());
        heading_lines[line][column] = text;
      }
    }
    std::vector<std::size_t> widths(table.headings_.size());
    const auto measure = [&](const std::vector<std::string>& cells) {
      for (std::size_t i = 0; i < cells.size(); ++i)
        widths[i] = std::max(widths[i], cells[i].size());
    };
    for (const auto& line : heading_lines) measure(line);
    for (const auto& row : table.rows_) measure(row);

    const auto print = [&](const std::vector<std::string>& cells) {
      for (std::size_t i = 0; i < cells.size(); ++i) {
        const std::string blanks(widths[i] - cells[i].size(), ' ');
        if (i > 0) out << "  ";
        // No blanks at the end of a line.
        out << (i == 0 ? cells[i] + (cells.size() > 1 ? blanks : "") : blanks + cells[i]);
      }
      out << "\n";
    };
    for (const auto& line : heading_lines) print(line);
    std::size_t total = widths.empty() ? 0 : 2 * (widths.size() - 1);
    for (const std::size_t width : widths) total += width;
    out << std::string(total, '-') << "\n";
    for (const auto& row : table.rows_) print(row);
    return out;
  }

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace app
