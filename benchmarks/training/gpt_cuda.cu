#include "gpt.hpp"
#include "measure_step.hpp"

#include <halfstep/cuda.hpp>

template training::StepFigures training::measure_training<
    training::GptCase, halfstep::backend::Cublas>(const StepOptions& options);
