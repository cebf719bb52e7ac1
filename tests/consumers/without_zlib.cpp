// Built without zlib: a .gz file must be refused with what to do about it.
#include <halfstep/halfstep.hpp>

#include <iostream>
#include <string>

int main(int, char** arguments) {
  try {
    auto [train, test] = halfstep::data::mnist(arguments[1]);
  } catch (const halfstep::Error& error) {
    const std::string message = error.what();
    std::cout << message << "\n";
    const bool names_file = message.find(".gz") != std::string::npos;
    return names_file && message.find("halfstep::zlib") != std::string::npos ? 0 : 1;
  }
  std::cerr << "a .gz file was read without zlib\n";
  return 1;
}
