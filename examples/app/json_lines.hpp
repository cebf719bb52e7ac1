#pragma once

#include <halfstep/core/error.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <utility>

namespace app {

/// An object whose keys keep the order in which they were written.
using Json = nlohmann::ordered_json;

/// One JSON object a line, to a file or, as `-`, to standard output. The file is made with the
/// first line, and holds whole lines whenever somebody looks. Without a name nothing is written.
class JsonLines {
 public:
  explicit JsonLines(std::string name = "") : name_(std::move(name)) {}

  bool on_standard_output() const { return name_ == "-"; }

  /// @throws halfstep::IoError  the line cannot be written; the file ends with the line before it
  void write(const Json& object) {
    if (name_.empty()) return;
    // What is not UTF-8 in a file name is replaced: a line must not be lost for it. JSON has no
    // NaN: a loss that is not finite becomes null.
    const std::string text = object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    if (on_standard_output()) {
      if (!(std::cout << text << std::flush))
        halfstep::fail<halfstep::IoError>("--json -: standard output cannot be written");
      return;
    }
    if (!file_.is_open()) file_.open(name_, std::ios::binary | std::ios::trunc);
    if (!file_.is_open())
      halfstep::fail<halfstep::IoError>("--json ", name_,
                                        ": the file cannot be made; choose a folder that exists "
                                        "and may be written");
    if (!(file_ << text << std::flush)) {
      file_.close();
      std::error_code ignored;
      std::filesystem::resize_file(name_, whole_, ignored);
      halfstep::fail<halfstep::IoError>("--json ", name_,
                                        ": the file cannot be written; is the disk full?");
    }
    whole_ += text.size();
  }

 private:
  std::string name_;
  std::ofstream file_;
  std::uintmax_t whole_ = 0;
};

}  // namespace app
