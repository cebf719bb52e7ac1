#include "gpt.hpp"
#include "measure_step.hpp"

#if __has_include(<Eigen/Core>)
#include <halfstep/backend/eigen.hpp>

template training::StepFigures
training::measure_training<training::GptCase, halfstep::backend::Eigen>(const StepOptions& options);
#endif
