#pragma once

#include <halfstep/core/file.hpp>

#include <algorithm>
#include <cstdint>
#if defined(HALFSTEP_ZLIB)
#include <zlib.h>
#endif

namespace halfstep::inline HALFSTEP_ABI::data {

/// The bytes of a file from the front to the back, decompressed where the file is gzip.
class ByteSource {
 public:
  /// @throws IoError  the file cannot be read, or is gzip and this program was built without zlib
  explicit ByteSource(std::string path) : path_(std::move(path)), file_(read_file(path_)) {
    const auto bytes = file_.span();
    if (bytes.size() < 2 || bytes[0] != std::byte{0x1F} || bytes[1] != std::byte{0x8B}) return;
    gzip_ = true;
#if defined(HALFSTEP_ZLIB)
    if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK) fail<IoError>(path_, ": zlib cannot start");
    // zlib reads what next_in points to and does not write it.
    stream_.next_in = reinterpret_cast<Bytef*>(file_.span().data());
    started_ = true;
#else
    fail<IoError>(path_, " is compressed by gzip, and this program was built without zlib; link ",
                  "halfstep::zlib (or compile with -DHALFSTEP_ZLIB -lz), or run: gunzip ", path_);
#endif
  }
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource() {
#if defined(HALFSTEP_ZLIB)
    if (started_) inflateEnd(&stream_);
#endif
  }

  const std::string& path() const { return path_; }

  /// At most so many bytes are left, as far as the file's size tells (gzip shrinks at most 1032
  /// times): a header that asks for more lies, and no memory is asked for.
  std::uint64_t most_left() const {
    const auto size = static_cast<std::uint64_t>(file_.size());
    return gzip_ ? 1032 * size : size - taken_;
  }

  /// Fills `to`, or what there is; how many bytes that were.
  /// @throws IoError  the compressed data is damaged or cut
  std::size_t read(std::span<std::byte> to) {
    if (gzip_) return inflate_into(to);
    const std::size_t count = std::min(to.size(), file_.size() - taken_);
    if (count > 0) std::memcpy(to.data(), file_.span().data() + taken_, count);
    taken_ += count;
    return count;
  }

  /// Fills `to`.
  /// @throws IoError  the file ends before; the message names `what`
  void read_exactly(std::span<std::byte> to, const char* what) {
    const std::size_t count = read(to);
    if (count != to.size())
      fail<IoError>(path_, ": the file ends after ", count, " of the ", to.size(), " bytes of ",
                    what);
  }
  /// @throws IoError  something is left
  void expect_end() {
    std::byte more{};
    if (read({&more, 1}) != 0) fail<IoError>(path_, ": there are bytes after the data's end");
  }
  /// All that is left.
  FileBytes read_all() {
    FileBytes bytes(gzip_ ? 1 << 20 : static_cast<std::size_t>(most_left()) + 1);
    std::size_t filled = 0;
    for (;;) {
      filled += read(bytes.span().subspan(filled));
      if (filled < bytes.size()) break;
      bytes.grow(2 * bytes.size());
    }
    bytes.truncate(filled);
    return bytes;
  }

 private:
#if defined(HALFSTEP_ZLIB)
  std::size_t inflate_into(std::span<std::byte> to) {
    constexpr std::size_t most = 1 << 30;  // zlib counts in 32 bits
    std::size_t filled = 0;
    while (filled < to.size() && !ended_) {
      const std::size_t room = std::min(to.size() - filled, most);
      const std::size_t input = std::min(file_.size() - taken_, most);
      stream_.next_out = reinterpret_cast<Bytef*>(to.data() + filled);
      stream_.avail_out = static_cast<uInt>(room);
      stream_.avail_in = static_cast<uInt>(input);
      const int status = ::inflate(&stream_, Z_NO_FLUSH);
      filled += room - stream_.avail_out;
      taken_ += input - stream_.avail_in;
      if (status == Z_STREAM_END) {
        // A gzip file may be several, one after the other.
        ended_ = taken_ == file_.size();
        if (!ended_) inflateReset(&stream_);
      } else if (status == Z_BUF_ERROR ||
                 (status == Z_OK && taken_ == file_.size() && stream_.avail_out != 0)) {
        fail<IoError>(path_, ": the compressed data is cut: the file ends before it does");
      } else if (status != Z_OK) {
        fail<IoError>(path_, ": the compressed data is damaged: ",
                      stream_.msg != nullptr ? stream_.msg : "it does not decompress");
      }
    }
    return filled;
  }
  z_stream stream_{};
  bool started_ = false;
  bool ended_ = false;
#else
  std::size_t inflate_into(std::span<std::byte>) { return 0; }
#endif

  std::string path_;
  FileBytes file_;
  std::size_t taken_ = 0;
  bool gzip_ = false;
};

}  // namespace halfstep::inline HALFSTEP_ABI::data
