#include <halfstep/data/from_memory.hpp>

#include "data/scratch_folder.hpp"

#include <numeric>
#include <set>

#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#elif __has_include(<eigen3/Eigen/Core>)
#include <eigen3/Eigen/Core>
#endif

namespace hs = halfstep;
namespace data = halfstep::data;
using hs::test::message_of;

namespace {

const std::vector<float> features = {0, 1, 10, 11, 20, 21};
const std::vector<std::int32_t> labels = {2, 0, 1};

std::vector<float> row(std::span<const float> values) { return {values.begin(), values.end()}; }

data::ClassificationSet counted(hs::Index size) {
  std::vector<float> x(static_cast<std::size_t>(size));
  std::iota(x.begin(), x.end(), 0.0f);
  return data::from_memory(x, {size}, std::vector<int>(x.size(), 0));
}

}  // namespace

TEST(FromMemory, CopiesRowsAndLabels) {
  std::vector<float> x = features;
  const auto set = data::from_memory(x, {3, 2}, labels);
  static_assert(std::is_same_v<decltype(set), const data::ClassificationSet>);
  x.assign(x.size(), -1.0f);
  EXPECT_EQ(set.size(), 3);
  EXPECT_EQ(set.sample_shape(), hs::Shape{2});
  EXPECT_EQ(set.classes(), 3);
  EXPECT_EQ(row(set.get(1).features), (std::vector<float>{10, 11}));
  EXPECT_EQ(set.get(0).label, 2);
}

TEST(FromMemory, FloatingPointAnswersAreTargets) {
  const std::vector<double> y = {1, 2, 3, 4, 5, 6};
  const auto set = data::from_memory(features, {3, 2}, y);
  static_assert(std::is_same_v<decltype(set), const data::RegressionSet>);
  EXPECT_EQ(set.width(), 2);
  EXPECT_EQ(row(set.get(2).target), (std::vector<float>{5, 6}));
}

TEST(FromMemory, ConvertsDoublesBytesAndHalves) {
  const std::vector<double> wide = {0.1, 0.2};
  EXPECT_EQ(data::from_memory(wide, {2}, std::vector<int>{0, 1}).get(0).features[0], 0.1f);
  const std::vector<hs::bfloat16> half = {hs::bfloat16(1.5f), hs::bfloat16(-2.0f)};
  EXPECT_EQ(data::from_memory(half, {2}, std::vector<int>{0, 1}).get(1).features[0], -2.0f);
  const std::array<std::uint8_t, 2> digits = {200, 7};
  EXPECT_EQ(data::from_memory(wide, {2}, digits).get(0).label, 200);
}

TEST(FromMemory, ScaledBytesAreTheNearestFloatsToTheQuotients) {
  std::vector<std::uint8_t> bytes(256);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  const auto set = data::from_memory(bytes, {256}, std::vector<int>(256), {.scale = 1.0 / 255.0});
  for (int i = 0; i < 256; ++i)
    EXPECT_EQ(set.get(i).features[0], static_cast<float>(i) / 255.0f) << i;
}

TEST(FromMemory, TakesAPointerWithSteps) {
  // Columns 1 and 3 of rows of 4, every second row.
  std::vector<double> x(24);
  std::iota(x.begin(), x.end(), 0.0);
  const data::Matrix<double> part{x.data() + 1, 3, 2, 8, 2};
  const auto set = data::from_memory(part, labels);
  EXPECT_EQ(row(set.get(2).features), (std::vector<float>{17, 19}));
  const std::vector<int> wide = {5, 0, 6, 0, 7, 0};
  EXPECT_EQ(data::from_memory(part, data::Matrix<int>{wide.data(), 3, 1, 2}).get(1).label, 6);
}

#if defined(EIGEN_WORLD_VERSION)
TEST(FromMemory, TakesEigenMatricesMapsAndBlocksWhateverTheirStrides) {
  Eigen::MatrixXf column_major(3, 2);
  column_major << 0, 1, 10, 11, 20, 21;
  const Eigen::Matrix<double, 3, 2, Eigen::RowMajor> row_major = column_major.cast<double>();
  const Eigen::VectorXi y = (Eigen::VectorXi(3) << 2, 0, 1).finished();
  const Eigen::RowVectorXi y_row = y.transpose();
  std::vector<float> spread(30, -1.0f);
  using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  Eigen::Map<Eigen::MatrixXf, 0, Stride> map(spread.data(), 3, 2, Stride(14, 3));
  map = column_major;
  Eigen::MatrixXf framed = Eigen::MatrixXf::Zero(5, 5);
  framed.block(1, 2, 3, 2) = column_major;
  const auto check = [](const data::ClassificationSet& set) {
    ASSERT_EQ(set.size(), 3);
    EXPECT_EQ(row(set.get(1).features), (std::vector<float>{10, 11}));
    EXPECT_EQ(row(set.get(2).features), (std::vector<float>{20, 21}));
    EXPECT_EQ(set.get(0).label, 2);
    EXPECT_EQ(set.get(2).label, 1);
  };
  check(data::from_memory(column_major, y));
  check(data::from_memory(row_major, y_row));
  check(data::from_memory(map, labels));
  check(data::from_memory(framed.block(1, 2, 3, 2), y));
  const auto regression = data::from_memory(features, {3, 2}, column_major);
  EXPECT_EQ(row(regression.get(1).target), (std::vector<float>{10, 11}));
  EXPECT_THROW(data::from_memory(column_major, Eigen::VectorXi(4)), hs::ShapeError);
}
#endif

TEST(FromMemory, SizesThatDoNotFitAreShapeErrors) {
  EXPECT_THROW(data::from_memory(features, {3, 3}, labels), hs::ShapeError);
  EXPECT_THROW(data::from_memory(features, {}, labels), hs::ShapeError);
  EXPECT_THROW(data::from_memory(features, {2, 3}, labels), hs::ShapeError);
  EXPECT_THROW(data::from_memory(features, {6}, labels), hs::ShapeError);
  EXPECT_THROW(data::from_memory(features, {3, 2}, std::vector<int>(6)), hs::ShapeError);
  EXPECT_THROW(data::from_memory(features, {3, 2}, std::vector<float>{}), hs::ShapeError);
}

TEST(FromMemory, AnEmptySetIsADataError) {
  const std::vector<float> none;
  EXPECT_NE(message_of<hs::DataError>([&] {
              data::from_memory(none, {0, 2}, std::vector<int>{});
            }).find("empty"),
            std::string::npos);
  EXPECT_THROW(data::from_memory(data::Matrix<float>{nullptr, 0, 2, 2}, std::vector<int>{}),
               hs::DataError);
}

TEST(FromMemory, LabelsOutsideTheClassesAreNamed) {
  const auto message = [](std::vector<std::int64_t> y, hs::Index classes) {
    return message_of<hs::DataError>([&] {
      data::from_memory(features, {3, 2}, y, {.classes = classes});
    });
  };
  EXPECT_EQ(message({2, 0, 1}, 3), "");
  EXPECT_EQ(message({0, 3, 1}, 3), "label 3 of sample 1 is not one of the 3 classes, 0 to 2");
  EXPECT_NE(message({0, 1, -1}, 0).find("label -1 of sample 2"), std::string::npos);
  EXPECT_NE(message({0, 1, std::int64_t{1} << 32}, 0).find("label 4294967296 of sample 2"),
            std::string::npos);
}

TEST(View, BorrowsWhatIsThere) {
  std::vector<float> x = features;
  const auto set = data::view(x, {3, 2}, labels);
  EXPECT_EQ(set.get(0).features.data(), x.data());
  x[2] = 99.0f;
  EXPECT_EQ(set.get(1).features[0], 99.0f);
  const auto spans =
      data::view(std::span<const float>(x), {3, 1, 2}, std::span<const std::int32_t>(labels), 3);
  EXPECT_EQ(spans.sample_shape(), (hs::Shape{1, 2}));
  const auto targets = data::view(x, {3, 2}, x);
  EXPECT_EQ(targets.width(), 2);
  EXPECT_THROW(data::view(x, {2, 3}, labels), hs::ShapeError);
  EXPECT_THROW(data::view(x, {3, 2}, labels, 2), hs::DataError);
}

TEST(MemorySet, PartsShareTheNumbersAndKeepTheirOrder) {
  const auto set = data::from_memory(features, {3, 2}, labels);
  const auto two = set.take(2);
  EXPECT_EQ(two.size(), 2);
  EXPECT_EQ(two.get(1).features.data(), set.get(1).features.data());
  const auto [first, rest] = set.split(1);
  EXPECT_EQ(first.size(), 1);
  EXPECT_EQ(rest.size(), 2);
  EXPECT_EQ(rest.get(0).label, 0);
  const std::vector<hs::Index> chosen = {2, 0, 2};
  const auto subset = set.subset(chosen);
  EXPECT_EQ(subset.get(0).label, 1);
  EXPECT_EQ(subset.get(2).label, 1);
  EXPECT_EQ(subset.take(2).get(1).label, 2) << "a part of a part";
  EXPECT_EQ(subset.classes(), 3);
}

TEST(MemorySet, PartsThatAreNotThereAreDataErrors) {
  const auto set = data::from_memory(features, {3, 2}, labels);
  EXPECT_THROW(set.take(0), hs::DataError);
  EXPECT_THROW(set.take(4), hs::DataError);
  EXPECT_THROW(set.take(-1), hs::DataError);
  EXPECT_THROW(set.split(3), hs::DataError);
  EXPECT_THROW(set.split(0), hs::DataError);
  EXPECT_THROW(set.subset({}), hs::DataError);
  const std::vector<hs::Index> beyond = {3};
  EXPECT_THROW(set.subset(beyond), hs::DataError);
  EXPECT_THROW(set.get(3), hs::DataError);
  EXPECT_THROW(set.get(-1), hs::DataError);
}

TEST(MemorySet, ReshapingChangesOnlyTheShape) {
  const auto set = data::from_memory(features, {1, 6}, std::vector<int>{0});
  EXPECT_EQ(set.reshaped({1, 2, 3}).sample_shape(), (hs::Shape{1, 2, 3}));
  EXPECT_THROW(set.reshaped({4}), hs::ShapeError);
}

TEST(Shuffle, EverySampleOccursOnceInAnOrderOfTheSeed) {
  const auto set = counted(1000);
  const auto order = [&](std::uint64_t seed) {
    std::vector<float> x;
    const auto shuffled = set.shuffled(seed);
    for (hs::Index i = 0; i < shuffled.size(); ++i) x.push_back(shuffled.get(i).features[0]);
    return x;
  };
  const std::vector<float> one = order(1);
  EXPECT_EQ(order(1), one);
  EXPECT_NE(order(2), one);
  EXPECT_EQ(std::set<float>(one.begin(), one.end()).size(), 1000u);
}

TEST(Shuffle, EachOrderOfThreeIsAsLikelyAsTheOthers) {
  std::map<std::array<int, 3>, int> counts;
  constexpr int draws = 6000;
  for (int stream = 0; stream < draws; ++stream) {
    std::array<int, 3> order = {0, 1, 2};
    data::shuffle(std::span<int>(order), 7, static_cast<std::uint64_t>(stream));
    ++counts[order];
  }
  ASSERT_EQ(counts.size(), 6u);
  // Binomial with p = 1/6: standard deviation 28.9; five of them.
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, draws / 6, 145);
}
