#pragma once

#include <halfstep/core/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI::io {

/// The length of the UTF-8 character that starts at `at`, 1 to 4 bytes; 0 where none does (an
/// overlong form, half of a surrogate pair, a code point above 10FFFF, a cut one).
inline std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned>(static_cast<unsigned char>(text[i])) : 0u;
  };
  const unsigned first = byte(at);
  if (first < 0x80) return at < text.size() ? 1 : 0;
  const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length == 0 || first > 0xF4) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xC0u) != 0x80u) return 0;
  const unsigned second = byte(at + 1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F))
    return 0;
  return length;
}

/// Reads JSON (RFC 8259) from the front to the back, each value as what the caller expects it to
/// be; what is not that, or is not JSON, throws. It is as small as a safetensors header needs: a
/// general library would cost every user seconds of compile time.
class JsonReader {
 public:
  static constexpr int max_depth = 64;

  /// @param name  what is read, for messages
  JsonReader(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {}

  /// An object: `member(key)` reads each value.
  template <class F>
  void object(const F& member) {
    open('{', "an object");
    if (!taken('}')) {
      do {
        skip_space();
        const std::string key = string();
        if (!taken(':')) fail_here("expected ':'");
        member(key);
      } while (taken(','));
      if (!taken('}')) fail_here("expected ',' or '}'");
    }
    --depth_;
  }
  /// An array: `element()` reads each value.
  template <class F>
  void array(const F& element) {
    open('[', "an array");
    if (!taken(']')) {
      do element();
      while (taken(','));
      if (!taken(']')) fail_here("expected ',' or ']'");
    }
    --depth_;
  }
  std::string string() {
    if (!taken('"')) fail_here("expected a string");
    std::string value;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) fail_here("a control character");
      if (text_[at_] == '\\') {
        ++at_;
        escape(value);
        continue;
      }
      const std::size_t length = utf8_length(text_, at_);
      if (length == 0) fail_here("bytes that are not UTF-8");
      value.append(text_, at_, length);
      at_ += length;
    }
    if (at_ == text_.size()) fail_here("a string without an end");
    ++at_;
    return value;
  }
  /// A whole number without sign, fraction or exponent.
  std::uint64_t unsigned_integer() {
    skip_space();
    const std::size_t start = at_;
    std::uint64_t value = 0;
    for (; digit(); ++at_) {
      const auto next = static_cast<std::uint64_t>(text_[at_] - '0');
      if (value > (UINT64_MAX - next) / 10) fail_here("a number above 64 bits");
      value = 10 * value + next;
    }
    if (at_ == start) fail_here("expected a whole number, 0 or more");
    if (text_[start] == '0' && at_ > start + 1) fail_here("a number with a leading 0");
    if (next() == '.' || next() == 'e' || next() == 'E') fail_here("expected a whole number");
    return value;
  }
  /// Any value, checked and dropped.
  void skip() {
    skip_space();
    switch (next()) {
      case '{':
        return object([this](const std::string&) { skip(); });
      case '[':
        return array([this] { skip(); });
      case '"':
        return static_cast<void>(string());
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }
  /// The end of the text, after white space.
  void end() {
    skip_space();
    if (at_ != text_.size()) fail_here("something after the end");
  }

  [[noreturn]] void fail_here(std::string_view what) const {
    fail<IoError>(name_, ", byte ", at_, ": ", what);
  }

 private:
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool digit() const { return next() >= '0' && next() <= '9'; }
  void skip_space() {
    while (next() == ' ' || next() == '\t' || next() == '\n' || next() == '\r') ++at_;
  }
  bool taken(char c) {
    skip_space();
    if (next() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void open(char c, std::string_view what) {
    if (!taken(c)) fail_here(std::string("expected ") + std::string(what));
    if (++depth_ > max_depth) fail_here("values nested too deep");
  }
  void word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) fail_here("not a value");
    at_ += expected.size();
  }
  void digits() {
    if (!digit()) fail_here("expected a digit");
    while (digit()) ++at_;
  }
  void number() {
    if (next() == '-') ++at_;
    if (next() == '0')
      ++at_;
    else
      digits();
    if (next() == '.') {
      ++at_;
      digits();
    }
    if (next() == 'e' || next() == 'E') {
      ++at_;
      if (next() == '+' || next() == '-') ++at_;
      digits();
    }
  }
  unsigned four_hexadecimal_digits() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = next();
      const int nibble = c >= '0' && c <= '9'   ? c - '0'
                         : c >= 'a' && c <= 'f' ? c - 'a' + 10
                         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                : -1;
      if (nibble < 0) fail_here("expected four hexadecimal digits");
      value = 16 * value + static_cast<unsigned>(nibble);
    }
    return value;
  }
  void escape(std::string& value) {
    constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    const char c = next();
    const std::size_t which = names.find(c);
    if (at_ == text_.size() || (which == names.npos && c != 'u')) fail_here("not an escape");
    ++at_;
    if (c != 'u') {
      value += meanings[which];
      return;
    }
    unsigned code = four_hexadecimal_digits();
    if (code >= 0xD800 && code < 0xE000) {
      unsigned low = 0;
      if (code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
        at_ += 2;
        low = four_hexadecimal_digits();
      }
      if (low < 0xDC00 || low >= 0xE000) fail_here("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    const auto append = [&](unsigned byte) { value += static_cast<char>(byte); };
    if (code < 0x80) {
      append(code);
    } else {
      append(code < 0x800     ? 0xC0 | code >> 6
             : code < 0x10000 ? 0xE0 | code >> 12
                              : 0xF0 | code >> 18);
      if (code >= 0x10000) append(0x80 | (code >> 12 & 0x3F));
      if (code >= 0x800) append(0x80 | (code >> 6 & 0x3F));
      append(0x80 | (code & 0x3F));
    }
  }

  std::string_view text_;
  std::string name_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI::io
