#pragma once

#include <halfstep/data/array.hpp>
#include <halfstep/data/byte_source.hpp>

#include <array>

namespace halfstep::inline HALFSTEP_ABI::data {

namespace detail {

/// Reads the elements that a header announced, after the size that it asks for was compared with
/// the file's.
inline void read_elements(ByteSource& source, Array& array) {
  // Extents fit 63 bits each; their product must as well before it is believed.
  std::uint64_t size = bytes_of(array.type);
  for (const Index extent : array.shape) {
    if (extent != 0 && size > INT64_MAX / static_cast<std::uint64_t>(extent))
      fail<IoError>(source.path(), ": the shape ", array.shape, " in its header overflows");
    size *= static_cast<std::uint64_t>(extent);
  }
  if (size > source.most_left())
    fail<IoError>(source.path(), ": the header says ", array.shape, ", which is ", size,
                  " bytes; at most ", source.most_left(), " can follow it");
  array.bytes = FileBytes(static_cast<std::size_t>(size));
  source.read_exactly(array.bytes.span(), "its elements");
  source.expect_end();
}

}  // namespace detail

/// Reads an array in the IDX format (big-endian; two zero bytes, the type, the rank, the extents),
/// gzip or not.
/// @throws IoError  the file cannot be read, or is not what its header says
inline Array read_idx(const std::string& path) {
  ByteSource source(path);
  std::array<std::byte, 4> magic{};
  source.read_exactly(magic, "an IDX file's first four");
  const auto number = [](std::byte byte) { return std::to_integer<unsigned>(byte); };
  Array array;
  array.path = path;
  if (number(magic[0]) != 0 || number(magic[1]) != 0)
    fail<IoError>(path, " is not an IDX file: it starts with ", number(magic[0]), " ",
                  number(magic[1]), ", not 0 0");
  switch (number(magic[2])) {
    case 0x08:
      array.type = ElementType::u1;
      break;
    case 0x09:
      array.type = ElementType::i1;
      break;
    case 0x0B:
      array.type = ElementType::i2;
      break;
    case 0x0C:
      array.type = ElementType::i4;
      break;
    case 0x0D:
      array.type = ElementType::f4;
      break;
    case 0x0E:
      array.type = ElementType::f8;
      break;
    default:
      fail<IoError>(path, " is not an IDX file: it has no element type ", number(magic[2]));
  }
  const unsigned rank = number(magic[3]);
  if (rank > Shape::max_rank)
    fail<IoError>(path, ": an IDX file of rank ", rank, "; the largest here is ", Shape::max_rank);
  array.shape = {};
  for (unsigned i = 0; i < rank; ++i) {
    std::array<std::byte, 4> extent{};
    source.read_exactly(extent, "an extent in its header");
    std::uint32_t value = 0;
    for (const std::byte byte : extent) value = value << 8 | number(byte);
    array.shape = array.shape.with_last(value);
  }
  detail::read_elements(source, array);
  if constexpr (std::endian::native == std::endian::little)
    swap_bytes(array.bytes.span(), bytes_of(array.type));
  return array;
}

}  // namespace halfstep::inline HALFSTEP_ABI::data
