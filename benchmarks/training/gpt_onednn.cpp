#include "gpt.hpp"
#include "measure_step.hpp"

#if defined(HALFSTEP_ONEDNN)
template training::StepFigures training::measure_training<
    training::GptCase, halfstep::backend::OneDnn>(const StepOptions& options);
#endif
