#include <halfstep/data/idx.hpp>

#include "data/scratch_folder.hpp"

#if defined(HALFSTEP_ZLIB)
#include <zlib.h>
#endif

namespace hs = halfstep;
using hs::data::ElementType;
using hs::data::read_idx;
using hs::test::bytes_of;
using hs::test::message_of;

namespace {

using Idx = hs::test::ScratchFolder;

std::string header(int type, std::initializer_list<std::uint32_t> extents) {
  std::string text{'\0', '\0', static_cast<char>(type), static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents) text += bytes_of(extent, true);
  return text;
}

/// Two rows of three: -1, 0, 1, 2, 3, 100 as one of the types.
template <class T>
std::string whole(int type) {
  std::string text = header(type, {2, 3});
  for (const int value : {-1, 0, 1, 2, 3, 100}) text += bytes_of(static_cast<T>(value), true);
  return text;
}

}  // namespace

TEST_F(Idx, ReadsEveryTypeInBigEndianOrder) {
  const auto read = [&](const std::string& content, ElementType type) {
    const hs::data::Array array = read_idx(write("a", content));
    EXPECT_EQ(array.type, type);
    EXPECT_EQ(array.shape, (hs::Shape{2, 3}));
    return array.values<double>();
  };
  const std::vector<double> expected = {-1, 0, 1, 2, 3, 100};
  EXPECT_EQ(read(whole<std::int8_t>(0x09), ElementType::i1), expected);
  EXPECT_EQ(read(whole<std::int16_t>(0x0B), ElementType::i2), expected);
  EXPECT_EQ(read(whole<std::int32_t>(0x0C), ElementType::i4), expected);
  EXPECT_EQ(read(whole<float>(0x0D), ElementType::f4), expected);
  EXPECT_EQ(read(whole<double>(0x0E), ElementType::f8), expected);
  EXPECT_EQ(read(whole<std::uint8_t>(0x08), ElementType::u1),
            (std::vector<double>{255, 0, 1, 2, 3, 100}));
}

TEST_F(Idx, RefusesEveryCutAndEveryExtraByte) {
  const std::string content = whole<std::int16_t>(0x0B);
  for (std::size_t length = 0; length < content.size(); ++length) {
    const std::string file = write("cut", content.substr(0, length));
    EXPECT_NE(message_of<hs::IoError>([&] { read_idx(file); }).find(file), std::string::npos);
  }
  EXPECT_NE(message_of<hs::IoError>([&] {
              read_idx(write("long", content + "x"));
            }).find("bytes after the data's end"),
            std::string::npos);
}

TEST_F(Idx, AHeaderCannotAskForMoreThanTheFileHas) {
  for (const std::string& content :
       {header(0x0E, {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}), header(0x08, {0xFFFFFFFF}),
        header(0x08, {0x80000000, 0x80000000, 4}), header(0x08, {1000}) + "abc"}) {
    const std::string message = message_of<hs::IoError>([&] { read_idx(write("h", content)); });
    EXPECT_TRUE(message.find("can follow it") != std::string::npos ||
                message.find("overflows") != std::string::npos)
        << message;
  }
}

TEST_F(Idx, RefusesWhatIsNotIdx) {
  for (const std::string& content : {std::string("PNG not idx"), header(0x0A, {1}) + "x",
                                     header(0x08, {1, 1, 1, 1, 1, 1, 1}), std::string(4, '\x01')})
    EXPECT_NE(message_of<hs::IoError>([&] { read_idx(write("w", content)); }), "");
  EXPECT_EQ(message_of<hs::IoError>([&] { read_idx(path("none")); }),
            "cannot open " + path("none") + ": No such file or directory");
}

TEST_F(Idx, AnEmptyArrayAndAScalarAreArrays) {
  EXPECT_EQ(read_idx(write("e", header(0x08, {0, 28}))).shape, (hs::Shape{0, 28}));
  EXPECT_EQ(read_idx(write("s", header(0x08, {}) + "\x07")).values<int>(), std::vector<int>{7});
}

TEST_F(Idx, IntegersFromNumbersThatAreNoneAreRefusedByPlace) {
  const std::string content = header(0x0D, {2}) + bytes_of(1.0f, true) + bytes_of(0.5f, true);
  const hs::data::Array array = read_idx(write("f", content));
  EXPECT_NE(message_of<hs::DataError>([&] { array.values<int>(); }).find("element 1 is 0.5"),
            std::string::npos);
  const std::string wide = header(0x0C, {1}) + bytes_of(std::int32_t{300}, true);
  const hs::data::Array large = read_idx(write("i", wide));
  EXPECT_THROW(large.values<std::uint8_t>(), hs::DataError);
  EXPECT_THROW(large.values<std::int8_t>(), hs::DataError);
  EXPECT_EQ(large.values<std::int16_t>(), std::vector<std::int16_t>{300});
  const std::string negative = header(0x0C, {1}) + bytes_of(std::int32_t{-1}, true);
  EXPECT_THROW(read_idx(write("n", negative)).values<std::uint32_t>(), hs::DataError);
  const std::string limit = header(0x0E, {1}) + bytes_of(0x1p63, true);
  EXPECT_THROW(read_idx(write("l", limit)).values<std::int64_t>(), hs::DataError);
}

#if defined(HALFSTEP_ZLIB)

namespace {

void compress(const std::string& path, std::string_view content, const char* mode = "wb") {
  const gzFile file = gzopen(path.c_str(), mode);
  gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  gzclose(file);
}

}  // namespace

TEST_F(Idx, ReadsGzipAlsoInSeveralMembers) {
  const std::string content = whole<float>(0x0D);
  compress(path("one.gz"), content);
  EXPECT_EQ(read_idx(path("one.gz")).values<float>()[5], 100.0f);
  compress(path("two.gz"), content.substr(0, 13));
  compress(path("two.gz"), content.substr(13), "ab");
  EXPECT_EQ(read_idx(path("two.gz")).values<float>()[5], 100.0f);
}

TEST_F(Idx, RefusesGzipThatIsCutDamagedOrFollowedBySomething) {
  std::string content = header(0x08, {1000});
  for (int i = 0; i < 1000; ++i) content += static_cast<char>(i * i >> 3);
  compress(path("whole.gz"), content);
  const std::string packed = hs::test::content_of(path("whole.gz"));
  ASSERT_EQ(read_idx(path("whole.gz")).shape, hs::Shape{1000});
  for (std::size_t length = 2; length < packed.size(); ++length)
    ASSERT_NE(message_of<hs::IoError>([&] { read_idx(write("c", packed.substr(0, length))); }), "")
        << length;
  for (std::size_t byte = packed.size() / 2; byte < packed.size(); ++byte) {
    std::string damaged = packed;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 0x20);
    ASSERT_NE(message_of<hs::IoError>([&] { read_idx(write("d", damaged)); }), "") << byte;
  }
  EXPECT_NE(message_of<hs::IoError>([&] { read_idx(write("t", packed + "tail")); }), "");
  compress(path("short.gz"), content.substr(0, 500));
  EXPECT_NE(message_of<hs::IoError>([&] { read_idx(path("short.gz")); }).find("ends after"),
            std::string::npos);
  compress(path("huge.gz"), header(0x08, {0xFFFFFFFF, 0xFFFF}));
  EXPECT_NE(message_of<hs::IoError>([&] { read_idx(path("huge.gz")); }).find("can follow it"),
            std::string::npos);
}

#else

TEST_F(Idx, WithoutZlibGzipIsRefusedWithTheRemedy) {
  const std::string message =
      message_of<hs::IoError>([&] { read_idx(write("a.gz", "\x1F\x8B\x08 and so on")); });
  EXPECT_NE(message.find("halfstep::zlib"), std::string::npos) << message;
  EXPECT_NE(message.find("gunzip " + path("a.gz")), std::string::npos) << message;
}

#endif
