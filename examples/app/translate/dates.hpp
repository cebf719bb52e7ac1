#pragma once

#include <halfstep/core/error.hpp>
#include <halfstep/core/random.hpp>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// A date as somebody writes it, and as ISO 8601 does: "Tue 3rd of March, 98" and "1998-03-03".
struct DatePair {
  std::string written;
  std::string iso;
};

/// The letters of a language; number 0 is none of them, and stands for the end.
class Alphabet {
 public:
  constexpr explicit Alphabet(std::string_view letters) : letters_(letters) {}

  constexpr std::int32_t size() const { return static_cast<std::int32_t>(letters_.size()) + 1; }
  /// @throws halfstep::DataError  a letter is not in the alphabet
  std::vector<std::int32_t> encode(std::string_view text) const {
    std::vector<std::int32_t> numbers;
    for (const char c : text) {
      const std::size_t at = letters_.find(c);
      if (at == std::string_view::npos)
        halfstep::fail<halfstep::DataError>("the date '", std::string(text), "': the character '",
                                            std::string(1, c), "' is not one of '",
                                            std::string(letters_), "'");
      numbers.push_back(static_cast<std::int32_t>(at) + 1);
    }
    return numbers;
  }
  char decode(std::int32_t number) const {
    return number == 0 ? '?' : letters_[static_cast<std::size_t>(number) - 1];
  }

 private:
  std::string_view letters_;
};

inline constexpr Alphabet written_alphabet(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,./-");
inline constexpr Alphabet iso_alphabet("0123456789-");

/// The characters of an ISO date.
inline constexpr halfstep::Index iso_length = 10;

/// Dates of the years 1950 to 2049, which two digits can name, in the ways that people write them:
/// the order of day, month and year, months and days by name or number, with weekdays, slips of the
/// pen, and said by a neighbour ("the day after 2 Mar 1998").
class Dates {
 public:
  /// One calendar day in ten is kept from training, however it is written.
  static bool is_held_out(std::chrono::sys_days day) {
    const auto number = static_cast<std::uint64_t>(day.time_since_epoch().count() + 36525);
    return halfstep::RandomStream(number, 1).below(10) == 0;
  }

  /// @param held_out  whether from the days that are kept from training, or from the others
  static DatePair draw(bool held_out, halfstep::RandomStream& random) {
    using namespace std::chrono;
    constexpr sys_days first = year{1950} / 1 / 1;
    constexpr sys_days end = year{2050} / 1 / 1;
    sys_days day;
    do {
      day = first +
            days(static_cast<int>(random.below(static_cast<std::uint64_t>((end - first).count()))));
    } while (is_held_out(day) != held_out);
    return {written(day, random), iso(day)};
  }

 private:
  using Random = halfstep::RandomStream;

  static std::string padded(unsigned number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
  }
  static std::string iso(std::chrono::year_month_day date) {
    return std::to_string(int(date.year())) + "-" + padded(unsigned(date.month())) + "-" +
           padded(unsigned(date.day()));
  }
  static bool chance(double probability, Random& random) {
    return static_cast<double>(random.uniform()) < probability;
  }

  static std::string written(std::chrono::sys_days day, Random& random) {
    std::string text;
    if (chance(0.2, random)) {
      static constexpr std::array<std::pair<const char*, int>, 4> neighbours{
          std::pair{"the day before ", 1},
          {"the day after ", -1},
          {"a week before ", 7},
          {"a week after ", -7}};
      const auto& [words, distance] = neighbours[random.below(neighbours.size())];
      text = words + plain(day + std::chrono::days(distance), random);
    } else {
      text = plain(day, random);
    }
    if (chance(0.1, random)) slip(text, random);
    if (chance(0.1, random))
      for (char& c : text) c = 'a' <= c && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
  }

  static std::string plain(std::chrono::sys_days day, Random& random) {
    const std::chrono::year_month_day date = day;
    const unsigned d = unsigned(date.day()), m = unsigned(date.month());
    const std::string number = chance(0.5, random) ? std::to_string(d) : padded(d);
    const std::string month = chance(0.5, random) ? std::to_string(m) : padded(m);
    const std::string whole_year = std::to_string(int(date.year()));
    const std::string year = chance(0.3, random) ? whole_year.substr(2) : whole_year;
    static constexpr const char* months[]{"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
    static constexpr const char* weekdays[]{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                            "Thursday", "Friday", "Saturday"};
    const auto name = [&](std::string whole) {
      return chance(0.5, random) ? whole : whole.substr(0, 3);
    };
    std::string text;
    if (chance(0.25, random))
      text = name(weekdays[std::chrono::weekday(day).c_encoding()]) +
             (chance(0.5, random) ? ", " : " ");
    switch (random.below(8)) {
      case 0:
        return text + number + " " + name(months[m - 1]) + " " + year;
      case 1:
        return text + number + "-" + name(months[m - 1]) + "-" + year;
      case 2:
        return text + name(months[m - 1]) + " " + number + ", " + year;
      case 3:
        return text + name(months[m - 1]) + " " + ordinal(d) + ", " + year;
      case 4:
        return text + ordinal(d) + " of " + name(months[m - 1]) + " " + year;
      case 5:
        return text + "the " + in_words(d) + " of " + name(months[m - 1]) + " " + year;
      case 6:
        return text + month + "/" + number + "/" + year;  // as Americans do
      default:
        return text + number + "." + month + "." + year;  // as Germans do
    }
  }

  static std::string ordinal(unsigned day) {
    const unsigned last = day / 10 == 1 ? 0 : day % 10;
    return std::to_string(day) + (last == 1 ? "st" : last == 2 ? "nd" : last == 3 ? "rd" : "th");
  }
  static std::string in_words(unsigned day) {
    static constexpr const char* below_20[]{"",          "first",       "second",     "third",
                                            "fourth",    "fifth",       "sixth",      "seventh",
                                            "eighth",    "ninth",       "tenth",      "eleventh",
                                            "twelfth",   "thirteenth",  "fourteenth", "fifteenth",
                                            "sixteenth", "seventeenth", "eighteenth", "nineteenth"};
    if (day < 20) return below_20[day];
    if (day % 10 == 0) return day == 20 ? "twentieth" : "thirtieth";
    return (day < 30 ? "twenty-" : "thirty-") + std::string(below_20[day % 10]);
  }

  /// A letter is left out, doubled, or changes places with the next one; digits stay.
  static void slip(std::string& text, Random& random) {
    const auto is_letter = [&](std::size_t at) { return text[at] >= 'A'; };
    const std::size_t at = random.below(text.size() - 1);
    if (!is_letter(at) || !is_letter(at + 1)) return;
    switch (random.below(3)) {
      case 0:
        text.erase(at, 1);
        break;
      case 1:
        text.insert(at, 1, text[at]);
        break;
      default:
        std::swap(text[at], text[at + 1]);
    }
  }
};

}  // namespace app
