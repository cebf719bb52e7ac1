#include <halfstep/io/read_as.hpp>
#include <halfstep/io/write_safetensors.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>

namespace hs = halfstep;
namespace io = halfstep::io;
namespace fs = std::filesystem;

namespace {

struct Safetensors : testing::Test {
  fs::path folder =
      fs::temp_directory_path() / (std::string("halfstep_safetensors_") +
                                   testing::UnitTest::GetInstance()->current_test_info()->name());
  Safetensors() {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Safetensors() override { fs::remove_all(folder); }
  std::string path(const char* name = "model.safetensors") const { return folder / name; }
  int files() const { return static_cast<int>(std::distance(fs::directory_iterator(folder), {})); }
};

hs::FileBytes bytes_of(std::string_view text) {
  hs::FileBytes bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.span().data(), text.data(), text.size());
  return bytes;
}

std::string with_length(const std::string& header, const std::string& data = "") {
  std::string text(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) text[i] = static_cast<char>(header.size() >> 8 * i);
  return text + header + data;
}

/// What reading this says; empty where it is fine.
std::string refusal(const std::string& file) {
  try {
    io::SafetensorsFile read(bytes_of(file), "model.safetensors");
    return "";
  } catch (const hs::IoError& error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with("model.safetensors")) << error.what();
    return error.what();
  }
}
std::string refusal(const std::string& header, const std::string& data) {
  return refusal(with_length(header, data));
}

std::string tensor(const char* name, const char* dtype, const char* shape, const char* offsets) {
  return std::string("\"") + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::string four(4, 'x');

}  // namespace

TEST_F(Safetensors, ComesBackAsItWasWritten) {
  const std::vector<float> weights = {1.0f, -2.5f, 3e-40f, INFINITY, -0.0f, 7.0f};
  const std::vector<hs::bfloat16> halves = {hs::bfloat16(1.5f), hs::bfloat16(-3.0f)};
  const std::vector<std::uint8_t> flags = {7};
  const std::vector<double> none;
  const io::SafetensorsEntry entries[] = {
      io::safetensors_entry<std::uint8_t>("flags", flags, {1}),
      io::safetensors_entry<hs::bfloat16>("bias \"é\"\n", halves, {2}),
      io::safetensors_entry<float>("weights", weights, {2, 3}),
      io::safetensors_entry<double>("none", none, {3, 0}),
      io::safetensors_entry<float>("a scalar", std::span(weights).first(1), {}),
  };
  io::write_safetensors(path(), entries, {{"policy", "mixed_bf16"}, {"tab\t", "\\ü"}});
  const io::SafetensorsFile file(path());
  ASSERT_EQ(file.entries().size(), 5u);
  for (const io::SafetensorsEntry& entry : entries) {
    const io::SafetensorsEntry& read = file.at(entry.name);
    EXPECT_EQ(read.dtype, entry.dtype);
    EXPECT_EQ(read.shape, entry.shape);
    ASSERT_EQ(read.bytes.size(), entry.bytes.size());
    EXPECT_TRUE(std::equal(read.bytes.begin(), read.bytes.end(), entry.bytes.begin()));
  }
  ASSERT_NE(file.metadata("policy"), nullptr);
  EXPECT_EQ(*file.metadata("policy"), "mixed_bf16");
  EXPECT_EQ(*file.metadata("tab\t"), "\\ü");
  EXPECT_EQ(file.metadata("other"), nullptr);
  EXPECT_EQ(files(), 1) << "nothing else is left in the folder";
}

TEST_F(Safetensors, AScalarIsOneElementAndNoTensorsAreAFile) {
  const float one = 4.0f;
  const io::SafetensorsEntry entry = io::safetensors_entry<float>("scale", {&one, 1}, {});
  io::write_safetensors(path(), {&entry, 1});
  EXPECT_EQ(io::read_as<float>(io::SafetensorsFile(path()).at("scale")), std::vector<float>{4.0f});
  io::write_safetensors(path(), {});
  EXPECT_EQ(content(path()).size(), 16u);
  EXPECT_TRUE(io::SafetensorsFile(path()).entries().empty());
  EXPECT_EQ(refusal("{}", ""), "");
}

TEST_F(Safetensors, IsWrittenByAlignmentThenNameWithAPaddedHeader) {
  const std::vector<float> a = {1.0f}, c = {2.0f};
  const std::vector<std::uint8_t> b = {3};
  const std::vector<double> d = {4.0};
  const io::SafetensorsEntry entries[] = {
      io::safetensors_entry<std::uint8_t>("b", b, {1}), io::safetensors_entry<float>("c", c, {1}),
      io::safetensors_entry<float>("a", a, {1}), io::safetensors_entry<double>("d", d, {1})};
  io::write_safetensors(path(), entries);
  // The bytes that the reference implementation (Python, safetensors 0.8) writes of the same.
  const std::string header = R"({"d":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},)"
                             R"("a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)"
                             R"("c":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},)"
                             R"("b":{"dtype":"U8","shape":[1],"data_offsets":[16,17]}})";
  const std::string written = content(path());
  EXPECT_EQ(written.substr(8, header.size()), header);
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  EXPECT_EQ(static_cast<unsigned char>(written[0]), padded & 0xFF);
  EXPECT_EQ(written.substr(8 + header.size(), padded - header.size()),
            std::string(padded - header.size(), ' '));
  EXPECT_EQ(written.size(), 8 + padded + 17);
}

TEST_F(Safetensors, RefusesEveryCutOfASmallFile) {
  const std::vector<float> values = {1.0f, 2.0f};
  const io::SafetensorsEntry entry = io::safetensors_entry<float>("w", values, {2});
  io::write_safetensors(path(), {&entry, 1}, {{"k", "v"}});
  const std::string whole = content(path());
  ASSERT_EQ(refusal(whole), "");
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
  EXPECT_NE(refusal(whole + "x"), "");
}

TEST_F(Safetensors, AFlippedBitIsRefusedOrReadsAsSomethingWhole) {
  const std::vector<std::uint16_t> values = {1, 2, 3, 4};
  const io::SafetensorsEntry entry = io::safetensors_entry<std::uint16_t>("w", values, {2, 2});
  io::write_safetensors(path(), {&entry, 1}, {{"k", "v"}});
  const std::string whole = content(path());
  for (std::size_t bit = 0; bit < 8 * (whole.size() - 8); ++bit) {
    std::string changed = whole;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    try {
      const io::SafetensorsFile file(bytes_of(changed), "changed");
      std::size_t total = 0;
      for (const io::SafetensorsEntry& one : file.entries()) total += one.bytes.size();
      EXPECT_EQ(total, 8u);
    } catch (const hs::IoError&) {
    }
  }
}

TEST_F(Safetensors, RefusesALengthThatTheFileDoesNotHave) {
  EXPECT_NE(refusal("").find("0 bytes"), std::string::npos);
  std::string huge(8, '\xFF');
  EXPECT_NE(refusal(huge + "{}").find("the most is 100000000"), std::string::npos);
  EXPECT_NE(refusal(std::string("\x03\0\0\0\0\0\0\0{}", 10)).find("2 follow"), std::string::npos);
}

TEST_F(Safetensors, ReadsAHeaderOfTheLargestLengthAndRefusesOneMore) {
  std::string header = "{" + tensor("a", "F32", "[1]", "[0,4]") + "}";
  header.resize(io::SafetensorsFile::max_header, ' ');
  EXPECT_EQ(refusal(header, four), "");
  header += ' ';
  EXPECT_NE(refusal(header, four).find("the most is"), std::string::npos);
}

TEST_F(Safetensors, RefusesHolesOverlapsAndRangesOutsideTheFile) {
  const std::string a = tensor("a", "F32", "[1]", "[0,4]");
  EXPECT_EQ(refusal("{" + a + "," + tensor("b", "F32", "[1]", "[4,8]") + "}", four + four), "");
  EXPECT_EQ(refusal("{" + tensor("b", "F32", "[1]", "[4,8]") + "," + a + "}", four + four), "");
  const std::string start = "{" + a + ",";
  EXPECT_NE(refusal(start + tensor("b", "F32", "[1]", "[5,9]") + "}", std::string(9, 'x')), "");
  EXPECT_NE(refusal(start + tensor("b", "F32", "[1]", "[3,7]") + "}", std::string(7, 'x')), "");
  EXPECT_NE(refusal(start + tensor("b", "F32", "[1]", "[0,4]") + "}", four), "");
  EXPECT_NE(refusal(start + tensor("b", "F32", "[1]", "[4,8]") + "}", std::string(7, 'x')), "");
  EXPECT_NE(refusal(start + tensor("b", "F32", "[0]", "[2,2]") + "}", four), "");
  EXPECT_EQ(refusal(start + tensor("b", "F32", "[0]", "[0,0]") + "}", four), "");
  EXPECT_EQ(refusal(start + tensor("b", "F32", "[0]", "[4,4]") + "}", four), "");
  EXPECT_NE(refusal("{" + tensor("a", "F32", "[1]", "[4,8]") + "}", four + four), "");
  EXPECT_NE(refusal("{" + tensor("a", "F32", "[1]", "[4,0]") + "}", four), "");
  EXPECT_NE(refusal("{" + a + "}", four + "x"), "");
  EXPECT_NE(refusal("{}", "x"), "");
  EXPECT_NE(
      refusal("{" + tensor("a", "U8", "[0]", "[18446744073709551615,18446744073709551615]") + "}",
              ""),
      "");
}

TEST_F(Safetensors, RefusesShapesThatDoNotFitTheirBytesOrOverflow) {
  const auto one = [](const char* dtype, const char* shape, const char* offsets,
                      const std::string& data) {
    return refusal("{" + tensor("a", dtype, shape, offsets) + "}", data);
  };
  EXPECT_EQ(one("F32", "[]", "[0,4]", four), "");
  EXPECT_NE(one("F32", "[2]", "[0,4]", four), "");
  EXPECT_NE(one("F64", "[1]", "[0,4]", four), "");
  EXPECT_NE(one("F32", "[0]", "[0,4]", four), "");
  EXPECT_NE(one("U8", "[4294967296,4294967296]", "[0,0]", ""), "");
  EXPECT_NE(one("U8", "[4294967296,4294967296,0]", "[0,0]", ""), "");
  EXPECT_EQ(one("U8", "[0,4294967296,4294967296]", "[0,0]", ""), "");
  EXPECT_NE(one("U8", "[18446744073709551615]", "[0,0]", ""), "");
  EXPECT_NE(one("F64", "[2305843009213693952]", "[0,0]", ""), "") << "2^61 x 8 bytes is 0 mod 2^64";
  EXPECT_NE(one("F32", "[-1]", "[0,4]", four), "");
  EXPECT_NE(one("F32", "[1.0]", "[0,4]", four), "");
  EXPECT_NE(one("U8", "[1,1,1,1,1,1,1]", "[0,1]", "x").find("rank 7"), std::string::npos);
  EXPECT_NE(one("F4", "[3]", "[0,1]", "x"), "");
  EXPECT_EQ(one("F4", "[2]", "[0,1]", "x"), "");
  EXPECT_EQ(one("F6_E2M3", "[4]", "[0,3]", "abc"), "");
}

TEST_F(Safetensors, RefusesUnknownTypesAndNamesWithTwoTensors) {
  EXPECT_NE(refusal("{" + tensor("a", "F31", "[1]", "[0,4]") + "}", four).find("'F31'"),
            std::string::npos);
  EXPECT_NE(refusal("{" + tensor("a", "f32", "[1]", "[0,4]") + "}", four), "");
  const std::string twice =
      "{" + tensor("a", "F32", "[1]", "[0,4]") + "," + tensor("a", "F32", "[1]", "[4,8]") + "}";
  EXPECT_NE(refusal(twice, four + four).find("'a' occurs twice"), std::string::npos);
  const std::string escaped = "{" + tensor("a", "F32", "[1]", "[0,4]") + "," +
                              tensor("\\u0061", "F32", "[1]", "[4,8]") + "}";
  EXPECT_NE(refusal(escaped, four + four).find("'a' occurs twice"), std::string::npos);
}

TEST_F(Safetensors, RefusesMetadataOfAnythingButStrings) {
  const std::string a = tensor("a", "F32", "[1]", "[0,4]");
  EXPECT_EQ(refusal("{\"__metadata__\":{\"k\":\"v\"}," + a + "}", four), "");
  EXPECT_EQ(refusal("{" + a + ",\"__metadata__\":{}}", four), "");
  for (const char* bad : {"null", "1", "[]", "\"x\"", "{\"k\":1}", "{\"k\":null}", "{\"k\":{}}",
                          "{\"k\":\"a\",\"k\":\"b\"}", "{\"k\":\"\\ud800\"}", "{\"k\":\"\xFF\"}"})
    EXPECT_NE(refusal(std::string("{\"__metadata__\":") + bad + "," + a + "}", four), "") << bad;
  EXPECT_NE(refusal("{\"__metadata__\":{},\"__metadata__\":{}," + a + "}", four), "");
}

TEST_F(Safetensors, RefusesEntriesThatLackRepeatOrMistypeAField) {
  const std::string fields = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  EXPECT_EQ(refusal("{\"a\":{" + fields + "}}  \n", four), "");
  EXPECT_EQ(refusal("{\"a\":{" + fields + ",\"note\":[{\"x\":null}]}}", four), "");
  for (const char* bad :
       {R"({"a":{"dtype":"F32","shape":[1]}})", R"({"a":{"dtype":"F32","data_offsets":[0,4]}})",
        R"({"a":{"shape":[1],"data_offsets":[0,4]}})", R"({"a":null})", R"({"a":[]})", R"([])",
        R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,"4"]}})",
        R"({"a":{"dtype":1,"shape":[1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},})",
        R"({"a":{"dtype":"F32","shape":[1,],"data_offsets":[0,4]}})", "", " ", "null"})
    EXPECT_NE(refusal(bad, four), "") << bad;
  EXPECT_NE(refusal("{\"a\":{" + fields + "}} {}", four), "");
  EXPECT_NE(refusal("{\"a\":{" + fields + "}}" + std::string(1, '\0'), four), "");
}

TEST_F(Safetensors, ReadsElementsAtAnyAlignment) {
  const float value = 1.25f;
  std::string data = "x";
  data.append(reinterpret_cast<const char*>(&value), 4);
  const io::SafetensorsFile file(
      bytes_of(with_length("{" + tensor("byte", "U8", "[1]", "[0,1]") + "," +
                               tensor("odd", "F32", "[1]", "[1,5]") + "}",
                           data)),
      "odd");
  EXPECT_EQ(io::read_as<float>(file.at("odd")), std::vector<float>{1.25f});
}

TEST_F(Safetensors, ConvertsWhereEveryValueIsKept) {
  const std::vector<hs::float16> values = {hs::float16(1.5f), hs::float16::from_bits(1),
                                           hs::float16(-65504.0f)};
  const io::SafetensorsEntry entry = io::safetensors_entry<hs::float16>("h", values, {3});
  EXPECT_EQ(io::read_as<float>(entry), (std::vector<float>{1.5f, 0x1p-24f, -65504.0f}));
  EXPECT_EQ(io::read_as<double>(entry), (std::vector<double>{1.5, 0x1p-24, -65504.0}));
  EXPECT_EQ(io::read_as<hs::float16>(entry), values);
  const std::vector<std::int16_t> integers = {-32768, 32767};
  const io::SafetensorsEntry whole = io::safetensors_entry<std::int16_t>("i", integers, {2});
  EXPECT_EQ(io::read_as<float>(whole), (std::vector<float>{-32768.0f, 32767.0f}));
  EXPECT_EQ(io::read_as<std::int64_t>(whole), (std::vector<std::int64_t>{-32768, 32767}));
}

TEST_F(Safetensors, RoundsOnlyWhereAsked) {
  const std::vector<float> values = {1.0f + 0x1p-9f, 1.0f + 0x1p-7f};
  const io::SafetensorsEntry entry = io::safetensors_entry<float>("w", values, {2});
  EXPECT_THROW(io::read_as<hs::bfloat16>(entry), hs::PrecisionError);
  EXPECT_EQ(io::read_as<hs::bfloat16>(entry, io::Rounding::nearest),
            (std::vector<hs::bfloat16>{hs::bfloat16(1.0f), hs::bfloat16(1.0f + 0x1p-7f)}));
  const std::vector<hs::bfloat16> brain = {hs::bfloat16(1e30f)};
  const io::SafetensorsEntry other = io::safetensors_entry<hs::bfloat16>("b", brain, {1});
  EXPECT_THROW(io::read_as<hs::float16>(other), hs::PrecisionError);
  EXPECT_THROW(io::read_as<std::int32_t>(entry, io::Rounding::nearest), hs::PrecisionError);
  const std::vector<std::int32_t> large = {16777217};
  EXPECT_THROW(io::read_as<float>(io::safetensors_entry<std::int32_t>("i", large, {1})),
               hs::PrecisionError);
  const std::vector<std::int8_t> small = {-1};
  EXPECT_THROW(io::read_as<std::uint8_t>(io::safetensors_entry<std::int8_t>("i", small, {1})),
               hs::PrecisionError);
  std::vector<float> place(3);
  EXPECT_THROW(io::read_into(entry, std::span(place)), hs::ShapeError);
}

TEST_F(Safetensors, AskingForAMissingTensorNamesThoseThatAreThere) {
  const io::SafetensorsFile file(
      bytes_of(with_length("{" + tensor("a", "F32", "[1]", "[0,4]") + "}", four)), "m");
  EXPECT_EQ(file.find("b"), nullptr);
  try {
    file.at("b");
    FAIL();
  } catch (const hs::IoError& error) {
    EXPECT_STREQ(error.what(), "m: there is no tensor 'b'; it has a");
  }
}

TEST_F(Safetensors, WritingChecksBeforeItTouchesAnything) {
  const std::vector<float> values = {1.0f, 2.0f};
  const auto entry = [&](const char* name) {
    return io::safetensors_entry<float>(name, values, {2});
  };
  io::SafetensorsEntry wrong = entry("a");
  wrong.shape = {3};
  EXPECT_THROW(io::write_safetensors(path(), {&wrong, 1}), hs::ShapeError);
  const io::SafetensorsEntry twice[] = {entry("a"), entry("b"), entry("a")};
  EXPECT_THROW(io::write_safetensors(path(), twice), hs::IoError);
  const io::SafetensorsEntry reserved = entry("__metadata__");
  EXPECT_THROW(io::write_safetensors(path(), {&reserved, 1}), hs::IoError);
  const io::SafetensorsEntry latin = entry("\xE9t\xE9");
  EXPECT_THROW(io::write_safetensors(path(), {&latin, 1}), hs::IoError);
  io::SafetensorsEntry unknown = entry("a");
  unknown.dtype = "F31";
  EXPECT_THROW(io::write_safetensors(path(), {&unknown, 1}), hs::IoError);
  EXPECT_EQ(files(), 0);
}

TEST_F(Safetensors, AFullDiskLeavesTheOldFileAndNothingElse) {
  const std::vector<float> old = {1.0f}, large(1 << 16);
  const io::SafetensorsEntry first = io::safetensors_entry<float>("w", old, {1});
  io::write_safetensors(path(), {&first, 1});
  const std::string before = content(path());

  // A limit on the size of files stands for a full disk.
  struct rlimit limit {};
  getrlimit(RLIMIT_FSIZE, &limit);
  const struct rlimit small { 4096, limit.rlim_max };
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const io::SafetensorsEntry second = io::safetensors_entry<float>("w", large, {1 << 16});
  std::string message;
  try {
    io::write_safetensors(path(), {&second, 1});
  } catch (const hs::IoError& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find(path()), std::string::npos) << message;
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_EQ(content(path()), before);
  EXPECT_EQ(files(), 1);
}

TEST_F(Safetensors, PlacesThatCannotBeWrittenOrReadAreNamedWithTheReason) {
  const auto message = [](auto action) -> std::string {
    try {
      action();
      return "";
    } catch (const hs::IoError& error) {
      return error.what();
    }
  };
  const std::string missing = path("none/model.safetensors");
  EXPECT_NE(message([&] { io::write_safetensors(missing, {}); }).find("No such file"),
            std::string::npos);
  EXPECT_EQ(message([&] { io::SafetensorsFile file(missing); }),
            "cannot open " + missing + ": No such file or directory");
  fs::create_directories(path("folder"));
  EXPECT_NE(message([&] { io::write_safetensors(path("folder"), {}); }).find("directory"),
            std::string::npos);
  EXPECT_NE(message([&] { io::SafetensorsFile file(path("folder")); }).find("directory"),
            std::string::npos);
  EXPECT_EQ(files(), 1) << "no partial file is left beside the folder";
}
