#include "measure_step.hpp"
#include "mlp.hpp"

#include <halfstep/backend/reference.hpp>

template training::StepFigures training::measure_training<
    training::MlpCase, halfstep::backend::Reference>(const StepOptions& options);
