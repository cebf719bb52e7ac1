#include <app/dcgan/train.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_dcgan<halfstep::backend::OneDnn>(const app::DcganOptions& options);
#endif
