#include <app/speech_ctc/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_speech_ctc<halfstep::backend::Cublas>(const app::SpeechOptions& options);
