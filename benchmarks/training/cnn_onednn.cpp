#include "cnn.hpp"
#include "measure_step.hpp"

#if defined(HALFSTEP_ONEDNN)
template training::StepFigures training::measure_training<
    training::CnnCase, halfstep::backend::OneDnn>(const StepOptions& options);
#endif
