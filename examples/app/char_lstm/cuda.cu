#include <app/char_lstm/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_char_lstm<halfstep::backend::Cublas>(const app::LanguageOptions& options);
