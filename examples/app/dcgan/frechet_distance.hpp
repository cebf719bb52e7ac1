#pragma once

#include <app/dcgan/image_statistics.hpp>

namespace app {

/// |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two sets' features: the distance of the normal
/// distributions that have their means and covariances; 0 where those are the same. (Heusel et al.,
/// arXiv 1706.08500, equation 6; there the features are Inception's)
///
/// @throws halfstep::BackendError  the program is built without Eigen
double frechet_distance(const ImageStatistics& a, const ImageStatistics& b);

}  // namespace app
