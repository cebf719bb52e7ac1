#include "measure_step.hpp"
#include "mlp.hpp"

#if defined(HALFSTEP_ONEDNN)
template training::StepFigures training::measure_training<
    training::MlpCase, halfstep::backend::OneDnn>(const StepOptions& options);
#endif
