// EXPECT: -ffast-math (-ffinite-math-only) deletes the inf and NaN checks; remove it
// FLAGS: -ffast-math
#include <halfstep/core/macros.hpp>

int main() {}
