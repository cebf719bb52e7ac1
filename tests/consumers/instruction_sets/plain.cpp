#include "compute.hpp"

Computed computed_plain() { return compute(); }
