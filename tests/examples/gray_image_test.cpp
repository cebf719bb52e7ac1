#include <app/gray_image.hpp>

#include "examples/run_program.hpp"

namespace halfstep::test {
namespace {

/// 7 x 3 pixels, all different.
app::GrayImage image() {
  app::GrayImage image{7, 3, {}};
  for (int i = 0; i < 21; ++i) image.pixels.push_back(static_cast<std::uint8_t>(12 * i));
  return image;
}

TEST(GrayImage, IsWrittenToAFile) {
  const Folder folder;
  app::write_image(image(), folder / "image");
  EXPECT_EQ(contents(folder / "image"), app::encoded(image()));
  try {
    app::write_image(image(), folder / "nowhere/image");
    ADD_FAILURE() << "a folder that is not there was written to";
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("nowhere/image"), std::string::npos) << error.what();
  }
}

#if defined(HALFSTEP_ZLIB)

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

TEST(GrayImage, IsAPngFileWhereThereIsZlib) {
  const std::string file = app::encoded(image());
  ASSERT_EQ(file.substr(0, 8), "\x89PNG\r\n\x1a\n");
  std::vector<std::string> names, data;
  for (std::size_t at = 8; at < file.size();) {
    const std::uint32_t size = number_at(file, at);
    ASSERT_LE(at + 12 + size, file.size());
    const std::string body = file.substr(at + 4, 4 + size);
    EXPECT_EQ(number_at(file, at + 8 + size), crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                                                    static_cast<uInt>(body.size())));
    names.push_back(body.substr(0, 4));
    data.push_back(body.substr(4));
    at += 12 + size;
  }
  ASSERT_EQ(names, (std::vector<std::string>{"IHDR", "IDAT", "IEND"}));
  ASSERT_EQ(data[0].size(), 13u);
  EXPECT_EQ(number_at(data[0], 0), 7u);
  EXPECT_EQ(number_at(data[0], 4), 3u);
  EXPECT_EQ(data[0].substr(8), (std::string{8, 0, 0, 0, 0}));

  // A filter byte, 0, before each row.
  std::string rows(3 * 8 + 1, 'x');
  uLongf size = rows.size();
  ASSERT_EQ(uncompress(reinterpret_cast<Bytef*>(rows.data()), &size,
                       reinterpret_cast<const Bytef*>(data[1].data()), data[1].size()),
            Z_OK);
  ASSERT_EQ(size, 3u * 8u);
  for (std::size_t y = 0; y < 3; ++y) {
    EXPECT_EQ(rows[8 * y], '\0');
    for (std::size_t x = 0; x < 7; ++x)
      EXPECT_EQ(static_cast<std::uint8_t>(rows[8 * y + 1 + x]), image().pixels[7 * y + x]);
  }
}

#else

TEST(GrayImage, IsAPgmFileWhereThereIsNoZlib) {
  const std::string file = app::encoded(image());
  const std::string head = "P5\n7 3\n255\n";
  EXPECT_EQ(file.substr(0, head.size()), head);
  EXPECT_EQ(file.size(), head.size() + 21);
}

#endif

}  // namespace
}  // namespace halfstep::test
