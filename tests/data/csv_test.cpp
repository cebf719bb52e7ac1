#include <halfstep/data/csv.hpp>

#include "data/scratch_folder.hpp"

namespace hs = halfstep;
using hs::data::read_csv;
using hs::test::message_of;

namespace {

using Csv = hs::test::ScratchFolder;

const char* const houses =
    "rooms,area,price\n"
    "3,70.5,200\n"
    "\"4\", 90 ,2.5e2\r\n"
    "\n"
    "5,+120,-300\n";

}  // namespace

TEST_F(Csv, PredictsOneColumnFromTheOthers) {
  const auto table = read_csv(write("h.csv", houses));
  EXPECT_EQ(table.rows(), 3);
  EXPECT_EQ(table.names(), (std::vector<std::string>{"rooms", "area", "price"}));
  const hs::data::RegressionSet set = table.regression("price");
  ASSERT_EQ(set.size(), 3);
  EXPECT_EQ(set.sample_shape(), hs::Shape{2});
  EXPECT_EQ(set.width(), 1);
  const auto second = set.get(1);
  EXPECT_EQ(second.features[0], 4.0f);
  EXPECT_EQ(second.features[1], 90.0f);
  EXPECT_EQ(second.target[0], 250.0f);
  EXPECT_EQ(set.get(2).features[1], 120.0f);
  EXPECT_EQ(set.get(2).target[0], -300.0f);
}

TEST_F(Csv, SelectsColumnsByNameOrNumber) {
  const auto table = read_csv(write("h.csv", houses));
  const auto set = table.regression({"price", 0}, {"area"});
  EXPECT_EQ(set.sample_shape(), hs::Shape{1});
  EXPECT_EQ(set.width(), 2);
  EXPECT_EQ(set.get(0).target[1], 3.0f);
  const auto bare = read_csv(write("b.csv", "1;2\n3;4"), {.header = false, .separator = ';'});
  EXPECT_EQ(bare.numbers(1), (std::vector<double>{2, 4}));
  EXPECT_EQ(bare.regression(0).get(1).features[0], 4.0f);
}

TEST_F(Csv, ClassesAreNumbersOrNamesInOrder) {
  const auto flowers = read_csv(write("f.csv", "width,kind\n1,rose\n2,iris\n3,rose\n"));
  const hs::data::ClassificationSet set = flowers.classification("kind");
  EXPECT_EQ(flowers.classes("kind"), (std::vector<std::string>{"iris", "rose"}));
  EXPECT_EQ(set.classes(), 2);
  EXPECT_EQ(set.get(0).label, 1);
  EXPECT_EQ(set.get(1).label, 0);
  EXPECT_EQ(set.get(2).features[0], 3.0f);
  const auto digits = read_csv(write("d.csv", "x,digit\n1,7\n2,0\n"));
  EXPECT_EQ(digits.classification("digit").get(0).label, 7);
  EXPECT_EQ(digits.classification("digit").classes(), 8);
}

TEST_F(Csv, QuotedCellsMayHoldSeparatorsQuotesAndLineBreaks) {
  const auto table =
      read_csv(write("q.csv", "\xEF\xBB\xBF\"a,b\",c\n\"say \"\"hi\"\"\nthere\",\"\"\nx,oops\n"));
  EXPECT_EQ(table.names(), (std::vector<std::string>{"a,b", "c"}));
  EXPECT_EQ(table.cell(0, 0), "say \"hi\"\nthere");
  EXPECT_EQ(table.cell(0, 1), "");
  EXPECT_EQ(message_of<hs::DataError>([&] { table.number(1, 1); }),
            path("q.csv") + ", line 4, column 1 (c): 'oops' is not a finite number")
      << "lines count as an editor counts them";
}

TEST_F(Csv, CellsThatAreNoNumbersNameFileLineAndColumn) {
  for (const char* cell :
       {"", "abc", "1.5x", "1,5", "--1", "+-1", "nan", "inf", "1e999", "1e39", "0x10", "1 2"}) {
    const std::string quoted = std::string("\"") + cell + "\"";
    const auto table = read_csv(write("n.csv", "x,y\n1,2\n3," + quoted + "\n"));
    const std::string message = message_of<hs::DataError>([&] { table.regression("x"); });
    EXPECT_EQ(message,
              path("n.csv") + ", line 3, column 1 (y): '" + cell + "' is not a finite number");
  }
}

TEST_F(Csv, MalformedFilesNameFileAndLine) {
  const auto message = [&](const char* content) {
    return message_of<hs::IoError>([&] { read_csv(write("m.csv", content)); });
  };
  EXPECT_EQ(message("a,b\n1,2\n3\n"),
            path("m.csv") + ", line 3: there are 1 columns, and 2 in the lines before");
  EXPECT_NE(message("a,b\n1,2,3\n").find("line 2"), std::string::npos);
  EXPECT_NE(message("a,b\n1,\"2\n3,4\n").find("line 2: column 1 has a quote without an end"),
            std::string::npos);
  EXPECT_NE(message("a,b\n1,\"").find("quote without an end"), std::string::npos);
  EXPECT_NE(message("a,b\n1,\"2\"x\n").find("goes on after its closing quote"), std::string::npos);
  EXPECT_NE(message("a,b\n1,2\"x\n").find("quote inside"), std::string::npos);
  EXPECT_THROW(read_csv(path("none.csv")), hs::IoError);
}

TEST_F(Csv, ATableWithoutRowsAndColumnsThatAreNotThereAreDataErrors) {
  EXPECT_NE(message_of<hs::DataError>([&] { read_csv(write("e.csv", "")); }), "");
  EXPECT_NE(message_of<hs::DataError>([&] { read_csv(write("h.csv", "a,b\n")); }), "");
  const auto table = read_csv(write("t.csv", "a,b,b\n1,2,3\n"));
  EXPECT_NE(message_of<hs::DataError>([&] { table.find("c"); }).find("it has a, b, b"),
            std::string::npos);
  EXPECT_THROW(table.find("b"), hs::DataError);
  EXPECT_THROW(table.find(3), hs::DataError);
  EXPECT_THROW(table.find(-1), hs::DataError);
  EXPECT_EQ(table.find(2), 2);
}

TEST_F(Csv, EveryCutEitherReadsOrThrowsALibraryError) {
  const std::string content = houses;
  for (std::size_t length = 0; length < content.size(); ++length) {
    try {
      const auto table = read_csv(write("c.csv", content.substr(0, length)));
      EXPECT_GE(table.rows(), 1);
    } catch (const hs::Error&) {
    }
  }
}
