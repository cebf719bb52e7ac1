#include "measure_step.hpp"

#include <halfstep/backend/reference.hpp>

template training::StepFigures training::measure_training<halfstep::backend::Reference>(
    const StepOptions& options);
