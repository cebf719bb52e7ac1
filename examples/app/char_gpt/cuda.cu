#include <app/char_gpt/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_char_gpt<halfstep::backend::Cublas>(const app::CharGptOptions& options);
