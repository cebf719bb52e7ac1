#if __has_include(<Eigen/Core>)
#include <app/char_gpt/train.hpp>

#include <halfstep/backend/eigen.hpp>

template void app::run_char_gpt<halfstep::backend::Eigen>(const app::CharGptOptions& options);
#endif
