#pragma once

#include <halfstep/data/idx.hpp>

namespace halfstep::inline HALFSTEP_ABI::data {

namespace detail {

/// Reads the header of an .npy file: a Python dictionary of exactly 'descr', 'fortran_order' and
/// 'shape', each once.
class NpyHeader {
 public:
  NpyHeader(std::string_view text, const std::string& path) : text_(text), path_(path) { parse(); }

  std::string descr;
  bool fortran_order = false;
  Shape shape;

 private:
  void parse() {
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!taken('}')) {
      const std::string key = string();
      expect(':');
      bool& has = key == "descr" ? has_descr : key == "fortran_order" ? has_order : has_shape;
      if (has || (key != "shape" && &has == &has_shape)) refuse("the key '" + key + "'");
      has = true;
      if (&has == &has_descr) {
        if (next() == '[') refuse("a structured type; store plain columns");
        descr = string();
      } else if (&has == &has_order) {
        fortran_order = word("True");
        if (!fortran_order && !word("False")) refuse("fortran_order neither True nor False");
      } else {
        tuple();
      }
      if (!taken(',') && next() != '}') refuse("no ',' or '}' where one must be");
    }
    if (!has_descr || !has_order || !has_shape)
      refuse("not all of 'descr', 'fortran_order' and 'shape'");
    skip_space();
    if (at_ != text_.size()) refuse("something after its '}'");
  }
  void tuple() {
    expect('(');
    bool comma = true;
    int count = 0;
    while (!taken(')')) {
      if (!comma) refuse("a shape without ','");
      skip_space();
      const std::size_t start = at_;
      std::uint64_t extent = 0;
      for (; next() >= '0' && next() <= '9'; ++at_) {
        extent = 10 * extent + static_cast<std::uint64_t>(next() - '0');
        if (extent > INT64_MAX / 16) refuse("an extent that is too large");
      }
      if (at_ == start) refuse("a shape that is not a tuple of whole numbers");
      if (++count > Shape::max_rank)
        refuse("a rank above the largest here, " + std::to_string(Shape::max_rank));
      shape = shape.with_last(static_cast<Index>(extent));
      comma = taken(',');
    }
    if (count == 1 && !comma) refuse("a shape (n), which is no tuple; (n,) is");
  }
  std::string string() {
    const char quote = taken('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const std::size_t end = text_.find(quote, at_);
    if (end == text_.npos) refuse("a string without an end");
    const std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return value;
  }
  bool word(std::string_view expected) {
    skip_space();
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool taken(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!taken(c)) refuse(std::string("no '") + c + "' where one must be");
  }
  [[noreturn]] void refuse(const std::string& what) const {
    fail<IoError>(path_, ": the .npy header has ", what, " (byte ", at_, " of it)");
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
};

inline ElementType npy_type(std::string_view descr, const std::string& path) {
  constexpr std::string_view names[] = {"b1", "u1", "u2", "u4", "u8", "i1",
                                        "i2", "i4", "i8", "f2", "f4", "f8"};
  if (descr.size() == 3 && std::string_view("<>=|").find(descr[0]) != descr.npos)
    for (std::size_t i = 0; i < std::size(names); ++i)
      if (descr.substr(1) == names[i] &&
          (descr[0] != '|' || bytes_of(static_cast<ElementType>(i)) == 1))
        return static_cast<ElementType>(i);
  fail<IoError>(path, ": .npy elements of type '", descr,
                "' are not read; convert them in Python: array.astype('float32')");
}

/// Column-major elements as row-major ones.
inline FileBytes row_major(const FileBytes& from, const Shape& shape, std::size_t width) {
  FileBytes to(from.size());
  std::array<Index, Shape::max_rank> at{};
  std::array<Index, Shape::max_rank> stride{};
  Index step = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    stride[static_cast<std::size_t>(axis)] = step;
    step *= shape[axis];
  }
  Index offset = 0;
  for (std::size_t i = 0; i < from.size(); i += width) {
    std::memcpy(to.span().data() + i, from.span().data() + static_cast<std::size_t>(offset) * width,
                width);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      offset += stride[a];
      if (++at[a] < shape[axis]) break;
      offset -= at[a] * stride[a];
      at[a] = 0;
    }
  }
  return to;
}

}  // namespace detail

/// Reads an array that NumPy saved (.npy, format 1 to 3, either byte order, C or Fortran order;
/// plain numbers and booleans), gzip or not.
/// @throws IoError  the file cannot be read, or is not what its header says
inline Array read_npy(const std::string& path) {
  ByteSource source(path);
  std::array<std::byte, 8> magic{};
  source.read_exactly(magic, "an .npy file's first eight");
  if (std::memcmp(magic.data(), "\x93NUMPY", 6) != 0)
    fail<IoError>(path, " is not an .npy file: it does not start with \\x93NUMPY");
  const auto version = std::to_integer<int>(magic[6]);
  if (version < 1 || version > 3 || magic[7] != std::byte{0})
    fail<IoError>(path, ": .npy format ", version, ".", std::to_integer<int>(magic[7]),
                  " is not known; 1.0 to 3.0 are");
  std::array<std::byte, 4> length{};
  source.read_exactly(std::span(length).first(version == 1 ? 2 : 4), "its header's length");
  std::uint64_t size = 0;
  for (std::size_t i = 4; i-- > 0;) size = size << 8 | std::to_integer<std::uint64_t>(length[i]);
  if (size > source.most_left())
    fail<IoError>(path, ": its header would have ", size, " bytes; at most ", source.most_left(),
                  " can follow");
  FileBytes header(static_cast<std::size_t>(size));
  source.read_exactly(header.span(), "its header");
  const detail::NpyHeader parsed(
      {reinterpret_cast<const char*>(header.span().data()), header.size()}, path);

  Array array;
  array.path = path;
  array.type = detail::npy_type(parsed.descr, path);
  array.shape = parsed.shape;
  detail::read_elements(source, array);
  constexpr bool little = std::endian::native == std::endian::little;
  if (parsed.descr[0] == (little ? '>' : '<')) swap_bytes(array.bytes.span(), bytes_of(array.type));
  if (array.type == ElementType::b1)
    for (const std::byte byte : array.bytes.span())
      if (byte > std::byte{1})
        fail<IoError>(path, ": a boolean is ", std::to_integer<int>(byte), ", neither 0 nor 1");
  if (parsed.fortran_order && array.shape.rank() > 1)
    array.bytes = detail::row_major(array.bytes, array.shape, bytes_of(array.type));
  return array;
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
