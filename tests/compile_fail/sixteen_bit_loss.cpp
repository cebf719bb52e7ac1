// EXPECT: a loss is kept in FP32
#include <halfstep/autograd/backward.hpp>
#include <halfstep/backend/reference.hpp>

#ifndef HALFSTEP_CONTROL
using Loss = halfstep::bfloat16;
#else
using Loss = float;
#endif

void step(const halfstep::Variable<Loss, halfstep::backend::Reference>& loss) {
  halfstep::backward(loss);
}
