#include <app/dcgan/frechet_distance.hpp>

#if __has_include(<Eigen/Eigenvalues>)
#include <Eigen/Eigenvalues>

namespace {

Eigen::MatrixXd covariance(const app::ImageStatistics& of) {
  const auto n = static_cast<Eigen::Index>(of.features());
  return Eigen::MatrixXd::NullaryExpr(n, n, [&](Eigen::Index i, Eigen::Index j) {
    return of.covariance(static_cast<std::size_t>(i), static_cast<std::size_t>(j));
  });
}

}  // namespace

double app::frechet_distance(const ImageStatistics& a, const ImageStatistics& b) {
  const Eigen::MatrixXd first = covariance(a), second = covariance(b);
  // C1 C2 has the eigenvalues of C1^(1/2) C2 C1^(1/2), which is symmetric. What rounding makes of
  // those that are 0 may be negative.
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> of_first(first);
  const Eigen::MatrixXd root = of_first.eigenvectors() *
                               of_first.eigenvalues().cwiseMax(0.0).cwiseSqrt().asDiagonal() *
                               of_first.eigenvectors().transpose();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> of_both(root * second * root,
                                                               Eigen::EigenvaluesOnly);
  double distance =
      first.trace() + second.trace() - 2.0 * of_both.eigenvalues().cwiseMax(0.0).cwiseSqrt().sum();
  for (std::size_t i = 0; i < a.features(); ++i)
    distance += (a.mean(i) - b.mean(i)) * (a.mean(i) - b.mean(i));
  return distance;
}
#else
#include <halfstep/core/error.hpp>

double app::frechet_distance(const ImageStatistics&, const ImageStatistics&) {
  halfstep::fail<halfstep::BackendError>(
      "the Frechet distance of images needs Eigen, and this program was built without it; install ",
      "libeigen3-dev and build it again");
}
#endif
