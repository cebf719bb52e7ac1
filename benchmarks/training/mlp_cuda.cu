#include "measure_step.hpp"
#include "mlp.hpp"

#include <halfstep/cuda.hpp>

template training::StepFigures training::measure_training<
    training::MlpCase, halfstep::backend::Cublas>(const StepOptions& options);
