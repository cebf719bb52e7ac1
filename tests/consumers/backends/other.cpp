#include <halfstep/core/error.hpp>

#include <iostream>

void describe(const halfstep::Error& error) { std::cout << error.what() << "\n"; }
