#pragma once

#include <halfstep/core/error.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// The bytes of a file, in memory. Their address does not change when this is moved.
class FileBytes {
 public:
  FileBytes() = default;
  explicit FileBytes(std::size_t size)
      : bytes_(std::make_unique_for_overwrite<std::byte[]>(size)), size_(size) {}

  std::span<std::byte> span() { return {bytes_.get(), size_}; }
  std::span<const std::byte> span() const { return {bytes_.get(), size_}; }
  std::size_t size() const { return size_; }

  /// Makes room for more; the bytes so far stay.
  void grow(std::size_t size) {
    FileBytes larger(size);
    if (size_ > 0) std::memcpy(larger.bytes_.get(), bytes_.get(), size_);
    *this = std::move(larger);
  }
  /// Forgets the bytes from `size` on.
  void truncate(std::size_t size) { size_ = size < size_ ? size : size_; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_ = 0;
};

namespace detail {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using OpenFile = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace detail

/// Whether something of this name is there, be it readable or not.
inline bool file_exists(const std::string& path) {
  errno = 0;
  return detail::OpenFile(std::fopen(path.c_str(), "rb")) != nullptr ||
         (errno != ENOENT && errno != ENOTDIR);
}

/// A whole file. What is no plain file (a pipe) is read to its end.
/// @throws IoError  it cannot be read; the message names the path and the system's reason
inline FileBytes read_file(const std::string& path) {
  errno = 0;
  const detail::OpenFile file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) fail<IoError>("cannot open ", path, ": ", std::strerror(errno));
  const auto check = [&] {
    if (std::ferror(file.get()) != 0)
      fail<IoError>("cannot read ", path, ": ", std::strerror(errno));
  };
  // A first byte tells a folder, whose size means nothing, before memory is asked for.
  const int first = std::fgetc(file.get());
  check();
  if (first == EOF) return {};
  long size = -1;
  if (std::fseek(file.get(), 0, SEEK_END) == 0) {
    size = std::ftell(file.get());
    std::rewind(file.get());
  }
  std::size_t filled = 0;
  if (size <= 0) {
    std::ungetc(first, file.get());
    size = 1 << 16;
  }
  FileBytes bytes(static_cast<std::size_t>(size) + 1);  // one more, to meet the end of the file
  for (;;) {
    filled += std::fread(bytes.span().data() + filled, 1, bytes.size() - filled, file.get());
    check();
    if (filled < bytes.size()) break;
    bytes.grow(2 * bytes.size());
  }
  bytes.truncate(filled);
  return bytes;
}

}  // namespace halfstep
