#include <app/char_lstm/train.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_char_lstm<halfstep::backend::OneDnn>(const app::LanguageOptions& options);
#endif
