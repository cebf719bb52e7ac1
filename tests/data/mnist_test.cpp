#include <halfstep/data/mnist.hpp>

#include "data/scratch_folder.hpp"
#include "data_paths.hpp"

namespace hs = halfstep;
using hs::test::bytes_of;
using hs::test::message_of;

namespace {

struct Mnist : hs::test::ScratchFolder {
  static std::string images(std::uint32_t count, std::uint32_t width = 28) {
    return std::string("\0\0\x08\x03", 4) + bytes_of(count, true) + bytes_of(28u, true) +
           bytes_of(width, true) + std::string(count * 28 * width, '\x33');
  }
  static std::string labels(const std::string& digits) {
    return std::string("\0\0\x08\x01", 4) +
           bytes_of(static_cast<std::uint32_t>(digits.size()), true) + digits;
  }
  void write_all(const std::string& train_digits = std::string("\1\2\3", 3)) const {
    write("train-images-idx3-ubyte", images(3));
    write("train-labels-idx1-ubyte", labels(train_digits));
    write("t10k-images.idx3-ubyte", images(2));
    write("t10k-labels.idx1-ubyte", labels("\x09\x08"));
  }
  template <class Kind>
  std::string refusal() const {
    return message_of<Kind>([&] { hs::data::mnist(folder); });
  }
};

}  // namespace

TEST_F(Mnist, ReadsPlainFilesUnderBothSpellings) {
  write_all();
  const auto [train, test] = hs::data::mnist(folder);
  EXPECT_EQ(train.size(), 3);
  EXPECT_EQ(test.size(), 2);
  EXPECT_EQ(train.sample_shape(), hs::Shape{784});
  EXPECT_EQ(train.classes(), 10);
  EXPECT_EQ(train.get(2).label, 3);
  EXPECT_EQ(test.get(0).label, 9);
  EXPECT_EQ(train.get(1).features[783], 0x33 / 255.0f);
  EXPECT_EQ(train.reshaped({1, 28, 28}).sample_shape(), (hs::Shape{1, 28, 28}));
}

TEST_F(Mnist, AMissingFileNamesBothSpellingsAndTheFolder) {
  write_all();
  std::filesystem::remove(path("t10k-labels.idx1-ubyte"));
  const std::string message = refusal<hs::IoError>();
  for (const std::string part : {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte", ".gz"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_NE(message.find(folder), std::string::npos) << message;
}

TEST_F(Mnist, ALabelAboveNineNamesFileAndIndex) {
  write_all(std::string("\1\x0A\3", 3));
  EXPECT_EQ(refusal<hs::DataError>(),
            path("train-labels-idx1-ubyte") + ": label 10 at index 1; MNIST's are 0 to 9");
}

TEST_F(Mnist, ImagesAndLabelsMustBeAsManyAndOfMnistsShapes) {
  write_all("\1\2");
  EXPECT_NE(refusal<hs::IoError>().find("3 images"), std::string::npos);
  write_all();
  write("train-images-idx3-ubyte", images(3, 27));
  EXPECT_NE(refusal<hs::IoError>().find("[3, 28, 27]"), std::string::npos);
  write("train-images-idx3-ubyte", labels("\1\2\3"));
  EXPECT_NE(refusal<hs::IoError>(), "");
  write("train-images-idx3-ubyte", images(3));
  write("train-labels-idx1-ubyte", images(3));
  EXPECT_NE(refusal<hs::IoError>(), "");
}

TEST_F(Mnist, NoImagesAreADataError) {
  write_all();
  write("train-images-idx3-ubyte", images(0));
  write("train-labels-idx1-ubyte", labels(""));
  EXPECT_NE(refusal<hs::DataError>().find("no images"), std::string::npos);
}

TEST_F(Mnist, ATruncatedFileIsAnIoErrorThatNamesIt) {
  write_all();
  write("train-images-idx3-ubyte", images(3).substr(0, 1000));
  EXPECT_NE(refusal<hs::IoError>().find(path("train-images-idx3-ubyte")), std::string::npos);
}

#if defined(HALFSTEP_ZLIB)
TEST(MnistFiles, TheProjectsOwnAreReadWhole) {
  const auto [train, test] = hs::data::mnist(hs::test::example_data() / "mnist");
  ASSERT_EQ(train.size(), 10000);
  ASSERT_EQ(test.size(), 10000);
  std::array<int, 10> counts{};
  double sum = 0.0;
  for (hs::Index i = 0; i < test.size(); ++i) {
    const auto sample = test.get(i);
    ++counts[static_cast<std::size_t>(sample.label)];
    for (const float x : sample.features) {
      ASSERT_GE(x, 0.0f);
      ASSERT_LE(x, 1.0f);
      sum += x;
    }
  }
  // The test set's published counts of the digits and the mean of its pixels.
  EXPECT_EQ(counts, (std::array<int, 10>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));
  EXPECT_NEAR(sum / (10000.0 * 784.0), 0.1325, 0.00005);
  EXPECT_EQ(test.get(0).label, 7);
}
#endif
