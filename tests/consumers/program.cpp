// The program that every consumer project builds and runs.
#include <halfstep/core/error.hpp>

#include <iostream>

int main() {
  try {
    halfstep::fail<halfstep::UsageError>("thrown and caught");
  } catch (const halfstep::Error& error) {
    std::cout << error.what() << "\n";
  }
}
