#include <halfstep/data/npy.hpp>

#include "data/scratch_folder.hpp"

namespace hs = halfstep;
using hs::data::ElementType;
using hs::data::read_npy;
using hs::test::bytes_of;
using hs::test::message_of;

namespace {

using Npy = hs::test::ScratchFolder;

std::string npy(const std::string& dictionary, const std::string& data, int version = 1) {
  std::string text = "\x93NUMPY";
  text += static_cast<char>(version);
  text += '\0';
  if (version == 1)
    text += bytes_of(static_cast<std::uint16_t>(dictionary.size()), false);
  else
    text += bytes_of(static_cast<std::uint32_t>(dictionary.size()), false);
  return text + dictionary + data;
}

std::string dictionary(const char* descr, const char* shape, const char* order = "False") {
  return std::string("{'descr': '") + descr + "', 'fortran_order': " + order +
         ", 'shape': " + shape + ", }       \n";
}

/// 0, 1, ..., 5 as one of the types.
template <class T>
std::string counted(bool big_endian) {
  std::string data;
  for (int i = 0; i < 6; ++i) data += bytes_of(static_cast<T>(i), big_endian);
  return data;
}

const std::vector<float> zero_to_five = {0, 1, 2, 3, 4, 5};

}  // namespace

TEST_F(Npy, ReadsEveryTypeInBothByteOrdersAndAllVersions) {
  const auto check = [&]<class T>(const std::string& type, T) {
    for (const bool big : {false, true})
      for (const int version : {1, 2, 3}) {
        const std::string descr = (big ? ">" : "<") + type;
        const hs::data::Array array = read_npy(
            write("a.npy", npy(dictionary(descr.c_str(), "(2, 3)"), counted<T>(big), version)));
        EXPECT_EQ(array.shape, (hs::Shape{2, 3}));
        EXPECT_EQ(array.values<float>(), zero_to_five) << descr << " version " << version;
      }
  };
  check("f4", float{});
  check("f8", double{});
  check("i2", std::int16_t{});
  check("i4", std::int32_t{});
  check("i8", std::int64_t{});
  check("u2", std::uint16_t{});
  check("u4", std::uint32_t{});
  check("u8", std::uint64_t{});
  const auto bytes = read_npy(write("b.npy", npy(dictionary("|u1", "(6,)"), counted<char>(false))));
  EXPECT_EQ(bytes.values<float>(), zero_to_five);
  const auto negative = read_npy(write("c.npy", npy(dictionary("|i1", "(1,)"), "\xFF")));
  EXPECT_EQ(negative.values<int>(), std::vector<int>{-1});
  const auto flags =
      read_npy(write("d.npy", npy(dictionary("|b1", "(2,)"), std::string("\0\1", 2))));
  EXPECT_EQ(flags.values<int>(), (std::vector<int>{0, 1}));
}

TEST_F(Npy, ReadsHalves) {
  const std::string data =
      bytes_of(hs::float16(1.5f).bits, true) + bytes_of(hs::float16(-2.0f).bits, true);
  const auto array = read_npy(write("h.npy", npy(dictionary(">f2", "(2,)"), data)));
  EXPECT_EQ(array.type, ElementType::f2);
  EXPECT_EQ(array.values<float>(), (std::vector<float>{1.5f, -2.0f}));
}

TEST_F(Npy, FortranOrderBecomesRowMajor) {
  // Column-major 0 ... 5 as (2, 3): rows are 0 2 4 and 1 3 5.
  const auto flat =
      read_npy(write("f.npy", npy(dictionary("<f4", "(2, 3)", "True"), counted<float>(false))));
  EXPECT_EQ(flat.values<float>(), (std::vector<float>{0, 2, 4, 1, 3, 5}));
  const auto deep = read_npy(
      write("g.npy", npy(dictionary("<i4", "(1, 2, 3)", "True"), counted<std::int32_t>(false))));
  EXPECT_EQ(deep.values<float>(), (std::vector<float>{0, 2, 4, 1, 3, 5}));
}

TEST_F(Npy, AScalarAndAnEmptyArrayAreArrays) {
  EXPECT_EQ(read_npy(write("s.npy", npy(dictionary("<f4", "()"), bytes_of(2.0f, false)))).shape,
            hs::Shape{});
  EXPECT_EQ(read_npy(write("e.npy", npy(dictionary("<f4", "(0, 3)"), ""))).shape,
            (hs::Shape{0, 3}));
}

TEST_F(Npy, RefusesEveryCutAndEveryExtraByte) {
  const std::string content = npy(dictionary("<f4", "(2, 3)"), counted<float>(false));
  for (std::size_t length = 0; length < content.size(); ++length)
    EXPECT_NE(message_of<hs::IoError>([&] {
                read_npy(write("c", content.substr(0, length)));
              }).find(path("c")),
              std::string::npos)
        << length;
  EXPECT_NE(message_of<hs::IoError>([&] { read_npy(write("l", content + "x")); }), "");
}

TEST_F(Npy, RefusesHeadersThatAreNotWhatNumpyWrites) {
  const std::string data = counted<float>(false);
  ASSERT_EQ(
      message_of<hs::IoError>([&] {
        read_npy(write("ok", npy("{\"shape\":(6,),'descr':\"<f4\",'fortran_order':False}", data)));
      }),
      "");
  for (const std::string bad :
       {"",
        "{}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 6}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [6]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6.0,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'more': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (6,)}",
        "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '|f4', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,6)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 6)}"})
    EXPECT_NE(message_of<hs::IoError>([&] { read_npy(write("b", npy(bad, data))); }), "") << bad;
  EXPECT_NE(message_of<hs::IoError>([&] {
              read_npy(write("v", npy(dictionary("<f4", "(6,)"), data, 4)));
            }).find("format 4.0"),
            std::string::npos);
  EXPECT_NE(message_of<hs::IoError>([&] {
              read_npy(write("z", "PK\x03\x04 an npz"));
            }).find("is not an .npy file"),
            std::string::npos);
  EXPECT_NE(message_of<hs::IoError>([&] {
              read_npy(write("t", npy(dictionary("|b1", "(1,)"), "\x02")));
            }).find("boolean"),
            std::string::npos);
  std::string endless = npy(dictionary("<f4", "(6,)"), data, 2);
  endless.replace(8, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_NE(message_of<hs::IoError>([&] { read_npy(write("n", endless)); }).find("at most"),
            std::string::npos);
}
