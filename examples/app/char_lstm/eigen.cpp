#if __has_include(<Eigen/Core>)
#include <app/char_lstm/train.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_char_lstm<halfstep::backend::Eigen>(const app::LanguageOptions& options);
#endif
