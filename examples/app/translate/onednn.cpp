#include <app/translate/train.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_translate<halfstep::backend::OneDnn>(const app::TranslateOptions& options);
#endif
