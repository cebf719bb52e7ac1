#include "computed.hpp"

#if !defined(__AVX2__)
#error "this file is to be compiled with -mavx2"
#endif

std::vector<float> computed_wide() { return computed(); }
