#include <app/translate/train.hpp>

#include <halfstep/cuda.hpp>

template void app::run_translate<halfstep::backend::Cublas>(const app::TranslateOptions& options);
