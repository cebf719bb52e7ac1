#include <halfstep/data/cifar10.hpp>

#include "data/scratch_folder.hpp"

namespace hs = halfstep;
using hs::test::message_of;

namespace {

struct Cifar10 : hs::test::ScratchFolder {
  /// An image whose red is all `label`, green all 100, blue 200 but for the last pixel, 255.
  static std::string record(char label) {
    return label + std::string(1024, label) + std::string(1024, '\x64') +
           std::string(1023, '\xC8') + '\xFF';
  }
  static std::string name(int batch) { return "data_batch_" + std::to_string(batch) + ".bin"; }
  void write_all(const std::string& inside = "") const {
    for (int batch = 1; batch <= 5; ++batch)
      write(inside + name(batch), record(static_cast<char>(batch)) + record('\0'));
    write(inside + "test_batch.bin", record('\x09'));
  }
  template <class Kind>
  std::string refusal() const {
    return message_of<Kind>([&] { hs::data::cifar10(folder); });
  }
};

}  // namespace

TEST_F(Cifar10, ReadsFiveTrainingFilesAndOneOfTests) {
  write_all();
  const auto [train, test] = hs::data::cifar10(folder);
  EXPECT_EQ(train.size(), 10);
  EXPECT_EQ(test.size(), 1);
  EXPECT_EQ(train.classes(), 10);
  EXPECT_EQ(train.sample_shape(), (hs::Shape{3, 32, 32}));
  for (hs::Index i = 0; i < 10; ++i)
    EXPECT_EQ(train.get(i).label, i % 2 == 0 ? 1 + i / 2 : 0) << "sample " << i;
  const auto image = test.get(0).features;
  EXPECT_EQ(test.get(0).label, 9);
  EXPECT_EQ(image[0], 9 / 255.0f);
  EXPECT_EQ(image[1023], 9 / 255.0f);
  EXPECT_EQ(image[1024], 100 / 255.0f);
  EXPECT_EQ(image[3070], 200 / 255.0f);
  EXPECT_EQ(image[3071], 1.0f);
}

TEST_F(Cifar10, PutsChannelsLastWhereItIsAskedTo) {
  write_all();
  const auto [train, test] = hs::data::cifar10(folder, hs::ImageLayout::channels_last);
  EXPECT_EQ(test.sample_shape(), (hs::Shape{32, 32, 3}));
  const auto image = test.get(0).features;
  for (const std::size_t at : {std::size_t{0}, std::size_t{1022}, std::size_t{1023}}) {
    EXPECT_EQ(image[3 * at], 9 / 255.0f);
    EXPECT_EQ(image[3 * at + 1], 100 / 255.0f);
    EXPECT_EQ(image[3 * at + 2], at == 1023 ? 1.0f : 200 / 255.0f);
  }
}

TEST_F(Cifar10, FindsTheFolderThatTheArchiveUnpacksTo) {
  EXPECT_FALSE(hs::data::has_cifar10(folder));
  std::filesystem::create_directory(path("cifar-10-batches-bin"));
  EXPECT_FALSE(hs::data::has_cifar10(folder)) << "the folder is empty as yet";
  write_all("cifar-10-batches-bin/");
  EXPECT_TRUE(hs::data::has_cifar10(folder));
  EXPECT_EQ(hs::data::cifar10(folder).first.size(), 10);
}

TEST_F(Cifar10, AMissingFileIsNamed) {
  EXPECT_NE(refusal<hs::IoError>().find(folder.string()), std::string::npos);
  EXPECT_NE(refusal<hs::IoError>().find("data_batch_1.bin"), std::string::npos);
  write_all();
  for (const std::string& missing : {name(1), name(3), std::string("test_batch.bin")}) {
    write_all();
    std::filesystem::remove(path(missing));
    EXPECT_TRUE(hs::data::has_cifar10(folder)) << "what is there is CIFAR-10's";
    EXPECT_NE(refusal<hs::IoError>().find(path(missing)), std::string::npos) << missing;
  }
}

TEST_F(Cifar10, ATruncatedOrEmptyFileIsAnIoErrorThatNamesIt) {
  write_all();
  write(name(2), (record('\1') + record('\2')).substr(0, 6145));
  EXPECT_EQ(refusal<hs::IoError>(),
            path(name(2)) +
                ": 6145 bytes are not whole images; CIFAR-10's binary files have 3073 "
                "bytes an image");
  write(name(2), "");
  EXPECT_NE(refusal<hs::IoError>().find(path(name(2)) + ": 0 bytes"), std::string::npos);
}

TEST_F(Cifar10, ALabelAboveNineNamesFileAndIndex) {
  write_all();
  write(name(4), record('\1') + record('\x0A'));
  EXPECT_EQ(refusal<hs::DataError>(),
            path(name(4)) + ": label 10 at index 1; CIFAR-10's are 0 to 9");
}
