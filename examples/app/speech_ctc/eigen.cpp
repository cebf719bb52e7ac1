#if __has_include(<Eigen/Core>)
#include <app/speech_ctc/train.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_speech_ctc<halfstep::backend::Eigen>(const app::SpeechOptions& options);
#endif
