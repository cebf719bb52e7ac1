#include "compute.hpp"

#if !defined(__AVX2__)
#error "this file is to be compiled with -mavx2"
#endif

Computed computed_wide() { return compute(); }
