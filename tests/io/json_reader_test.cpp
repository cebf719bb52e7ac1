#include <halfstep/io/json_reader.hpp>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace hs = halfstep;
using hs::io::JsonReader;

namespace {

bool accepted(std::string_view text) {
  JsonReader reader(text, "test");
  try {
    reader.skip();
    reader.end();
    return true;
  } catch (const hs::IoError&) {
    return false;
  }
}

/// Whether a text has a number above what a double holds: JSON, which nlohmann refuses all the
/// same.
bool has_number_out_of_range(const std::string& text) {
  try {
    return nlohmann::json::parse(text).is_discarded();
  } catch (const nlohmann::json::out_of_range&) {
    return true;
  } catch (const nlohmann::json::parse_error&) {
    return false;
  }
}

std::string message_of(std::string_view text) {
  JsonReader reader(text, "settings.json");
  try {
    reader.skip();
    reader.end();
    return "";
  } catch (const hs::IoError& error) {
    return error.what();
  }
}

const std::vector<std::string> documents = {
    R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"k":"v"}})",
    R"([true,false,null,-0,0,1.5e+10,-1E-2,12345678901234567890123,{"x":[]}, [ ] ,""])",
    "{\"\\u00e9\\n\\t\\\"\\\\\\/\\b\\f\\r\":\"\\ud83d\\ude00 \xF0\x9F\x98\x80 \xC3\xA9\"}",
    R"( { "a" : 1 , "b" : [ 1 , 2 ] } )",
};

}  // namespace

TEST(JsonReader, ReadsObjectsArraysStringsAndNumbersInOrder) {
  JsonReader reader(R"( {"names": ["a", "b\n"], "count": 18446744073709551615} )", "test");
  std::vector<std::string> names;
  std::uint64_t count = 0;
  reader.object([&](const std::string& key) {
    if (key == "names")
      reader.array([&] { names.push_back(reader.string()); });
    else
      count = reader.unsigned_integer();
  });
  reader.end();
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b\n"}));
  EXPECT_EQ(count, UINT64_MAX);
}

TEST(JsonReader, AcceptsExactlyWhatNlohmannAcceptsOfMutatedDocuments) {
  std::mt19937 random(1);
  const std::string alphabet =
      "{}[]\",:\\u0019dDeE+-. tfn\n\x01\x7F\x80\xBF\xC2\xE0\xED\xF0\xF4\xFF";
  int good = 0, bad = 0;
  for (int round = 0; round < 40000; ++round) {
    std::string text = documents[static_cast<std::size_t>(round) % documents.size()];
    for (int edits = static_cast<int>(random() % 3); edits >= 0; --edits) {
      const std::size_t at = random() % text.size();
      const char c = alphabet[random() % alphabet.size()];
      switch (random() % 3) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(at, 1, c);
          break;
        default:
          text.erase(at, 1);
      }
    }
    if (has_number_out_of_range(text)) continue;
    const bool expected = nlohmann::json::accept(text);
    ASSERT_EQ(accepted(text), expected) << text;
    ++(expected ? good : bad);
  }
  EXPECT_GT(good, 1000);
  EXPECT_GT(bad, 1000);
}

TEST(JsonReader, DecodesEveryEscapeAndCharacterAsNlohmannDoes) {
  for (unsigned code = 0; code < 0x10000; code += code < 0x800 || code > 0xFF00 ? 1 : 37) {
    char text[16];
    std::snprintf(text, sizeof text, "\"\\u%04x\"", code);
    if (!nlohmann::json::accept(text)) {
      EXPECT_FALSE(accepted(text)) << text;
      continue;
    }
    const auto expected = nlohmann::json::parse(text).get<std::string>();
    EXPECT_EQ(JsonReader(text, "test").string(), expected) << text;
    if (code >= 0x20 && code != '"' && code != '\\') {
      EXPECT_EQ(JsonReader("\"" + expected + "\"", "test").string(), expected) << text;
    }
  }
  for (const char* text : {"\"\\ud800\\udc00\"", "\"\\uDBFF\\uDFFF\"", "\"\\ud83d\\ude00\""})
    EXPECT_EQ(JsonReader(text, "test").string(), nlohmann::json::parse(text).get<std::string>());
}

TEST(JsonReader, RefusesEveryTwoAndThreeByteSequenceThatNlohmannRefuses) {
  for (unsigned first = 0x80; first < 0x100; ++first)
    for (unsigned second = 0x70; second < 0x100; second += 3)
      for (unsigned third : {0x41u, 0x80u, 0xBFu, 0xC0u}) {
        std::string text = "\"";
        for (unsigned byte : {first, second, third}) text += static_cast<char>(byte);
        text += "\"";
        ASSERT_EQ(accepted(text), nlohmann::json::accept(text)) << first << " " << second;
      }
}

TEST(JsonReader, RefusesEveryCutDocument) {
  for (const std::string& document : documents)
    for (std::size_t length = 0; length + 1 < document.size(); ++length)
      EXPECT_FALSE(accepted(document.substr(0, length))) << document.substr(0, length);
}

TEST(JsonReader, RefusesNestingThatWouldExhaustTheStack) {
  const int depth = JsonReader::max_depth;
  EXPECT_TRUE(accepted(std::string(depth, '[') + std::string(depth, ']')));
  EXPECT_FALSE(accepted(std::string(depth + 1, '[') + std::string(depth + 1, ']')));
  EXPECT_FALSE(accepted(std::string(1000000, '[')));
  std::string siblings = "[";
  for (int i = 0; i < 3 * depth; ++i) siblings += "[{}],";
  EXPECT_TRUE(accepted(siblings + "1]")) << "depth counts nesting, not values";
}

TEST(JsonReader, ReadsOnlyWholeNumbersWithoutSignAsUnsigned) {
  const auto refused = [](std::string_view text) {
    EXPECT_THROW(JsonReader(text, "test").unsigned_integer(), hs::IoError) << text;
  };
  for (const char* text : {"-1", "-0", "1.0", "1e2", "1E2", "01", "00", "", "\"1\"", "null",
                           "18446744073709551616", "99999999999999999999", "+1"})
    refused(text);
  EXPECT_EQ(JsonReader("0", "test").unsigned_integer(), 0u);
  EXPECT_EQ(JsonReader(" 10]", "test").unsigned_integer(), 10u);
}

TEST(JsonReader, SaysWhereAndWhat) {
  EXPECT_EQ(message_of("{\"a\" 1}"), "settings.json, byte 5: expected ':'");
  EXPECT_EQ(message_of("[1 2]"), "settings.json, byte 3: expected ',' or ']'");
}
