#include "measure_step.hpp"
#include "mlp.hpp"

#if __has_include(<Eigen/Core>)
#include <halfstep/backend/eigen.hpp>

template training::StepFigures
training::measure_training<training::MlpCase, halfstep::backend::Eigen>(const StepOptions& options);
#endif
