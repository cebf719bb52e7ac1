// EXPECT: float16 gradients need loss scaling
#include <halfstep/autograd/backward.hpp>
#include <halfstep/backend/reference.hpp>

using namespace halfstep;
#ifndef HALFSTEP_CONTROL
using Policy = MixedFp16;
#else
using Policy = MixedBf16;
#endif
using MySetup = Setup<Policy, backend::Reference>;

void step(const Variable<float, backend::Reference>& loss, const Parameters<MySetup>& parameters) {
  auto gradients = backward(loss, parameters);
}
