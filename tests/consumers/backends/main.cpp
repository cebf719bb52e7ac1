#include <halfstep/core/error.hpp>

// Defined in the other translation unit, whose halfstep may have another configuration.
void describe(const halfstep::Error& error);

int main() { describe(halfstep::UsageError("handed from one translation unit to the other")); }
