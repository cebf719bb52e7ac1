#include <app/char_gpt/train.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_char_gpt<halfstep::backend::OneDnn>(const app::CharGptOptions& options);
#endif
