#include <halfstep/precision/operation_table.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "data_paths.hpp"

namespace {

using namespace halfstep;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// All that a pattern's last group matches.
std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at)
    found.insert(at->str(at->size() - 1));
  return found;
}

std::string autograd_headers() {
  std::string text;
  for (const auto& entry :
       std::filesystem::directory_iterator(test::source_folder() / "include/halfstep/autograd"))
    if (entry.path().extension() == ".hpp") text += text_of(entry.path());
  return text;
}

/// The names that operations have in messages: every literal that is handed to a function whose
/// first parameter is a name, as `recorded`, `unary` and `element_loss` are.
std::set<std::string> operations_in_the_headers() {
  const std::string text = autograd_headers();
  std::string takers;
  for (const std::string& function : matches(text, R"((\w+)\(const char\* name\b)"))
    takers += (takers.empty() ? "" : "|") + function;
  std::set<std::string> names =
      matches(text, R"re(\b(?:)re" + takers + R"re()(?:<[\w, ]*>)?\(\s*"([^"]+)")re");
  // The end of every operation, leaves, and what runs operations: none itself.
  for (const char* other : {"backward", "leaf", "parameter", "checkpoint"}) names.erase(other);
  return names;
}

std::set<std::string> operations_in_the_table() {
  std::set<std::string> names;
  for (const OperationPrecision& row : operation_table) names.insert(std::string(row.name));
  return names;
}

const char* words(OperationKind kind) {
  switch (kind) {
    case OperationKind::product:
      return "operands in 16 bits, sums in FP32";
    case OperationKind::fp32_inside:
      return "read 16 bits, compute in FP32, store 16 bits";
    case OperationKind::fp32_result:
      return "read 16 bits, compute in FP32, result in FP32";
    case OperationKind::moves_data:
      return "copy elements";
  }
  return "";
}
const char* words(Autocast list) {
  switch (list) {
    case Autocast::lower:
      return "16 bits";
    case Autocast::fp32:
      return "FP32";
    case Autocast::promotes:
      return "widest input";
    case Autocast::unlisted:
      return "as the inputs";
    case Autocast::absent:
      return "-";
  }
  return "";
}

/// The table as README prints it: a row for the operations that are treated alike.
std::string printed() {
  std::vector<std::string> rows;
  std::vector<std::string> operations;
  for (const OperationPrecision& row : operation_table) {
    const std::string about = " | " + std::string(words(row.kind)) + " | " +
                              (row.equal_types ? "yes" : "") + " | " + words(row.cuda) + " | " +
                              words(row.cpu) + " |\n";
    const std::string name =
        "`" + std::string(row.name) + "`" + (row.form.empty() ? "" : " " + std::string(row.form));
    const auto at = std::find(rows.begin(), rows.end(), about);
    if (at != rows.end()) {
      operations[static_cast<std::size_t>(at - rows.begin())] += ", " + name;
    } else {
      rows.push_back(about);
      operations.push_back(name);
    }
  }
  std::string text =
      "| operations | here, in a 16-bit policy | refuse two storage types | autocast on CUDA | "
      "autocast on CPU |\n| --- | --- | --- | --- | --- |\n";
  for (std::size_t i = 0; i < rows.size(); ++i) text += "| " + operations[i] + rows[i];
  return text;
}

TEST(OperationTable, HasEveryOperationAndNoOther) {
  EXPECT_EQ(operations_in_the_table(), operations_in_the_headers());
}

TEST(OperationTable, HasEachFormOnce) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const OperationPrecision& row : operation_table)
    EXPECT_TRUE(seen.insert({row.name, row.form}).second) << row.name << " " << row.form;
}

TEST(OperationTable, IsWhatReadmePrints) {
  const std::string readme = text_of(test::source_folder() / "README.md");
  const std::string begin = "<!-- operations: begin -->\n", end = "<!-- operations: end -->";
  const auto from = readme.find(begin), to = readme.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos) << "README has no table";
  EXPECT_EQ(readme.substr(from + begin.size(), to - from - begin.size()), printed())
      << "README's table is not the code's; print it as:\n"
      << printed();
}

TEST(OperationTable, ComputesInFp32WhereverAutocastDoes) {
  for (const OperationPrecision& row : operation_table) {
    const bool product = row.kind == OperationKind::product;
    const bool computes_in_fp32 =
        row.kind == OperationKind::fp32_inside || row.kind == OperationKind::fp32_result;
    EXPECT_EQ(product, row.cuda == Autocast::lower) << row.name;
    EXPECT_TRUE(computes_in_fp32 || (row.cuda != Autocast::fp32 && row.cpu != Autocast::fp32))
        << row.name;
  }
}

}  // namespace
