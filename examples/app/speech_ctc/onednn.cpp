#include <app/speech_ctc/train.hpp>

#if defined(HALFSTEP_ONEDNN)
template void app::run_speech_ctc<halfstep::backend::OneDnn>(const app::SpeechOptions& options);
#endif
