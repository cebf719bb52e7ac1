#include "computed.hpp"

std::vector<float> computed_plain() { return computed(); }
