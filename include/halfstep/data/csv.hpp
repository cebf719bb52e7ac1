#pragma once

#include <halfstep/data/byte_source.hpp>
#include <halfstep/data/from_memory.hpp>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::data {

/// How a CSV file is written.
struct CsvSettings {
  bool header = true;  ///< the first line has the columns' names
  char separator = ',';
};

/// A column, by its name or by its number from 0.
struct Column {
  Column(Index column) : number(column) {}                 // NOLINT(google-explicit-constructor)
  Column(int column) : number(column) {}                   // NOLINT(google-explicit-constructor)
  Column(std::string column) : name(std::move(column)) {}  // NOLINT(google-explicit-constructor)
  Column(const char* column) : name(column) {}             // NOLINT(google-explicit-constructor)

  std::string name;
  Index number = -1;
};

/// The cells of a CSV file, and data sets of its columns. Cells are text until they are asked for
/// as numbers, so that a column nobody uses may hold anything.
class Table {
 public:
  Table(FileBytes bytes, std::string path, const CsvSettings& settings)
      : path_(std::move(path)), text_(bytes.size(), '\0') {
    if (bytes.size() > 0) std::memcpy(text_.data(), bytes.span().data(), bytes.size());
    parse(settings);
  }
  // Cells point into the text.
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  Index rows() const { return static_cast<Index>(lines_.size()); }
  Index columns() const { return columns_; }
  /// The columns' names; empty without a header.
  const std::vector<std::string>& names() const { return names_; }
  std::string_view cell(Index row, Index column) const {
    return cells_[static_cast<std::size_t>(row * columns_ + column)];
  }

  /// The number of a column.
  /// @throws DataError  there is no such column, or two have this name
  Index find(const Column& column) const {
    if (column.name.empty()) {
      if (column.number < 0 || column.number >= columns_)
        fail<DataError>(path_, ": there is no column ", column.number, "; it has ", columns_,
                        ", from 0");
      return column.number;
    }
    Index found = -1;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] != column.name) continue;
      if (found >= 0) fail<DataError>(path_, ": two columns have the name '", column.name, "'");
      found = static_cast<Index>(i);
    }
    if (found < 0) {
      std::string all;
      for (const std::string& name : names_) all += (all.empty() ? "" : ", ") + name;
      fail<DataError>(path_, ": there is no column '", column.name, "'; ",
                      names_.empty() ? "without a header columns are named by number, from 0"
                                     : "it has " + all);
    }
    return found;
  }

  /// A cell as a number.
  /// @throws DataError  it is none; the message names the file, line and column
  double number(Index row, Index column) const {
    const std::string_view text = trimmed(cell(row, column));
    double value = 0.0;
    if (!parsed(text, value) || !std::isfinite(static_cast<float>(value)))
      fail<DataError>(path_, ", line ", lines_[static_cast<std::size_t>(row)], ", column ",
                      described(column), ": '", text, "' is not a finite number");
    return value;
  }
  /// A column's cells as numbers.
  std::vector<double> numbers(const Column& column) const {
    std::vector<double> values(static_cast<std::size_t>(rows()));
    const Index which = find(column);
    for (Index row = 0; row < rows(); ++row)
      values[static_cast<std::size_t>(row)] = number(row, which);
    return values;
  }

  /// A data set that predicts the numbers of some columns from those of others.
  /// @param features  all columns that are not targets where none is named
  /// @throws DataError  a column is missing, a cell is not a number, or there are no rows
  RegressionSet regression(const std::vector<Column>& targets,
                           const std::vector<Column>& features = {}) const {
    const std::vector<Index> to = found(targets);
    const std::vector<double> y = matrix(to);
    const std::vector<Index> from = features.empty() ? others(to) : found(features);
    return from_memory(matrix(from), {rows(), static_cast<Index>(from.size())}, y);
  }
  RegressionSet regression(const Column& target, const std::vector<Column>& features = {}) const {
    return regression(std::vector<Column>{target}, features);
  }

  /// A data set that predicts a column's class from the numbers of others. Where every class is a
  /// whole number from 0 on it is its own label; otherwise the names are labelled in their order
  /// (`classes` has them).
  ClassificationSet classification(const Column& label,
                                   const std::vector<Column>& features = {}) const {
    const Index to = find(label);
    const std::vector<Index> from = features.empty() ? others({to}) : found(features);
    const std::vector<std::string> names = classes(label);
    std::vector<std::int32_t> labels(static_cast<std::size_t>(rows()));
    for (std::size_t row = 0; row < labels.size(); ++row) {
      const std::string_view name = trimmed(cell(static_cast<Index>(row), to));
      const auto place = std::lower_bound(names.begin(), names.end(), name);
      if (names.empty())
        std::from_chars(name.data(), name.data() + name.size(), labels[row]);
      else
        labels[row] = static_cast<std::int32_t>(place - names.begin());
    }
    return from_memory(matrix(from), {rows(), static_cast<Index>(from.size())}, labels);
  }
  /// The names of a column's classes, in the order of their labels; empty where they are numbers.
  std::vector<std::string> classes(const Column& label) const {
    const Index column = find(label);
    std::vector<std::string> names;
    bool numbers = true;
    for (Index row = 0; row < rows(); ++row) {
      const std::string_view name = trimmed(cell(row, column));
      if (name.empty())
        fail<DataError>(path_, ", line ", lines_[static_cast<std::size_t>(row)], ", column ",
                        described(column), ": a label is missing");
      numbers = numbers && name.size() < 10 &&
                std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
      names.emplace_back(name);
    }
    if (numbers) return {};
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

 private:
  static std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
  }
  static bool parsed(std::string_view text, double& value) {
    if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
#if defined(__cpp_lib_to_chars)
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
#else
    // A standard library whose from_chars knows no double; strtod's extras are left out.
    if (text.find_first_not_of("0123456789.eE+-") != text.npos || text.empty()) return false;
    const std::string copy(text);
    char* end = nullptr;
    value = std::strtod(copy.c_str(), &end);
    return end == copy.c_str() + copy.size();
#endif
  }

  std::string described(Index column) const {
    const std::string number = std::to_string(column);
    return names_.empty() ? number : number + " (" + names_[static_cast<std::size_t>(column)] + ")";
  }
  std::vector<Index> found(const std::vector<Column>& columns) const {
    std::vector<Index> numbers;
    for (const Column& column : columns) numbers.push_back(find(column));
    if (numbers.empty()) fail<DataError>(path_, ": name the column to predict");
    return numbers;
  }
  std::vector<Index> others(const std::vector<Index>& without) const {
    std::vector<Index> numbers;
    for (Index i = 0; i < columns_; ++i)
      if (std::find(without.begin(), without.end(), i) == without.end()) numbers.push_back(i);
    if (numbers.empty()) fail<DataError>(path_, ": no column is left to predict from");
    return numbers;
  }
  std::vector<double> matrix(const std::vector<Index>& columns) const {
    std::vector<double> values;
    values.reserve(columns.size() * lines_.size());
    for (Index row = 0; row < rows(); ++row)
      for (const Index column : columns) values.push_back(number(row, column));
    return values;
  }

  template <class... Parts>
  [[noreturn]] void refuse(Index line, const Parts&... parts) const {
    fail<IoError>(path_, ", line ", line, ": ", parts...);
  }

  /// Splits the text into cells (RFC 4180). Quoted cells are unquoted where they stand.
  void parse(const CsvSettings& settings) {
    std::size_t at = text_.compare(0, 3, "\xEF\xBB\xBF") == 0 ? 3 : 0;  // a byte-order mark
    std::vector<std::string_view> row;
    Index line = 1;
    bool header = settings.header;
    while (at < text_.size()) {
      row.clear();
      const Index first_line = line;
      bool more = true;
      while (more) {
        row.push_back(field(at, line, settings.separator, static_cast<Index>(row.size())));
        more = at < text_.size() && text_[at] == settings.separator;
        if (more) ++at;
      }
      if (at < text_.size() && text_[at] == '\r') ++at;
      if (at < text_.size() && text_[at] == '\n') ++at;
      ++line;
      if (row.size() == 1 && trimmed(row[0]).empty()) continue;  // an empty line
      if (columns_ == 0) columns_ = static_cast<Index>(row.size());
      if (static_cast<Index>(row.size()) != columns_)
        refuse(first_line, "there are ", row.size(), " columns, and ", columns_,
               " in the lines before");
      if (header) {
        for (const std::string_view name : row) names_.emplace_back(trimmed(name));
        header = false;
        continue;
      }
      cells_.insert(cells_.end(), row.begin(), row.end());
      lines_.push_back(first_line);
    }
    if (lines_.empty())
      fail<DataError>(path_, ": the table is empty; it has no line of values",
                      settings.header ? " after the header" : "");
  }
  std::string_view field(std::size_t& at, Index& line, char separator, Index column) {
    const auto ends = [&](std::size_t i) {
      return i == text_.size() || text_[i] == separator || text_[i] == '\n' ||
             (text_[i] == '\r' && (i + 1 == text_.size() || text_[i + 1] == '\n'));
    };
    if (at == text_.size() || text_[at] != '"') {
      const std::size_t start = at;
      while (!ends(at)) {
        if (text_[at] == '"' || text_[at] == '\0')
          refuse(line, "column ", column, " has a ", text_[at] == '"' ? "quote" : "zero byte",
                 " inside; quote the whole cell and double its quotes");
        ++at;
      }
      return std::string_view(text_).substr(start, at - start);
    }
    const Index first_line = line;
    const std::size_t start = ++at;
    std::size_t to = start;
    for (;;) {
      if (at == text_.size()) refuse(first_line, "column ", column, " has a quote without an end");
      if (text_[at] == '"' && text_[++at] != '"') break;  // text_[size()] is a zero byte
      line += text_[at] == '\n';
      text_[to++] = text_[at++];
    }
    if (!ends(at)) refuse(line, "column ", column, " goes on after its closing quote");
    return std::string_view(text_).substr(start, to - start);
  }

  std::string path_;
  std::string text_;
  Index columns_ = 0;
  std::vector<std::string> names_;
  std::vector<std::string_view> cells_;
  std::vector<Index> lines_;  // where each row starts in the file
};

/// Reads comma-separated values (RFC 4180: quoted cells, line breaks in quotes; CR LF or LF), gzip
/// or not.
/// @throws IoError    the file cannot be read, a line has another number of columns, or quotes do
///                    not pair; the message names the file, line and column
/// @throws DataError  it has no rows
inline Table read_csv(const std::string& path, const CsvSettings& settings = {}) {
  return Table(ByteSource(path).read_all(), path, settings);
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
