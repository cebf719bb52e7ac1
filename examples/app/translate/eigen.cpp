#if __has_include(<Eigen/Core>)
#include <app/translate/train.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_translate<halfstep::backend::Eigen>(const app::TranslateOptions& options);
#endif
