#pragma once

#include <halfstep/core/file.hpp>

namespace halfstep::inline HALFSTEP_ABI::io {

/// Writes a file that takes its name only when it is complete: the bytes go to a file beside it,
/// which `commit` renames. Until then, and for ever where anything fails, an older file of that
/// name stays as it was.
class ReplacingFile {
 public:
  /// @throws IoError  no file can be made there
  explicit ReplacingFile(std::string path) : path_(std::move(path)) {
    // "x" refuses a file that is there: two writers never share one.
    for (int i = 0; i < 1000 && file_ == nullptr; ++i) {
      partial_ = path_ + ".partial" + (i == 0 ? std::string() : std::to_string(i));
      errno = 0;
      file_.reset(std::fopen(partial_.c_str(), "wbx"));
      if (file_ == nullptr && errno != EEXIST) break;
    }
    if (file_ == nullptr) fail_with_reason("cannot create");
  }
  ReplacingFile(const ReplacingFile&) = delete;
  ReplacingFile& operator=(const ReplacingFile&) = delete;
  ~ReplacingFile() {
    if (committed_) return;
    file_.reset();
    std::remove(partial_.c_str());
  }

  /// @throws IoError  the bytes cannot be written (the disk is full)
  void write(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    errno = 0;
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size())
      fail_with_reason("cannot write");
  }

  /// Gives the file its name.
  /// @throws IoError  the last bytes cannot be written, or the name is taken by a folder
  void commit() {
    errno = 0;
    if (std::fclose(file_.release()) != 0) fail_with_reason("cannot write");
    if (std::rename(partial_.c_str(), path_.c_str()) != 0) fail_with_reason("cannot replace");
    committed_ = true;
  }

 private:
  [[noreturn]] void fail_with_reason(const char* what) const {
    fail<IoError>(what, " ", path_, ": ", errno != 0 ? std::strerror(errno) : "the disk refused",
                  "; an older file of that name is unchanged");
  }

  std::string path_;
  std::string partial_;
  detail::OpenFile file_;
  bool committed_ = false;
};

}  // namespace halfstep::inline HALFSTEP_ABI::io
