#include <app/detector/train.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_detector<halfstep::backend::OneDnn>(const app::DetectorOptions& options);
#endif
