#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace app {

/// What a classifier says of a set of images: the moments of its features, and how sure and how
/// various its answers are.
class ImageStatistics {
 public:
  /// @param features, classes  of one image
  ImageStatistics(std::size_t features, std::size_t classes)
      : sum_(features), products_(features * features), share_(classes) {}

  /// Takes one image: its features, and the logits of its classes.
  void add(std::span<const float> features, std::span<const float> logits) {
    ++count_;
    for (std::size_t i = 0; i < sum_.size(); ++i) {
      const double value = static_cast<double>(features[i]);
      sum_[i] += value;
      for (std::size_t j = 0; j <= i; ++j)
        products_[i * sum_.size() + j] += value * static_cast<double>(features[j]);
    }
    double total = 0.0;
    for (const float logit : logits) total += std::exp(static_cast<double>(logit));
    for (std::size_t k = 0; k < share_.size(); ++k) {
      const double log_p = static_cast<double>(logits[k]) - std::log(total);
      share_[k] += std::exp(log_p);
      negative_entropy_ += std::exp(log_p) * log_p;
    }
  }

  std::size_t features() const { return sum_.size(); }
  double mean(std::size_t i) const { return sum_[i] / count(); }
  /// Over n - 1.
  double covariance(std::size_t i, std::size_t j) const {
    const double product = products_[i < j ? j * sum_.size() + i : i * sum_.size() + j];
    return (product - sum_[i] * sum_[j] / count()) / (count() - 1.0);
  }

  /// exp of the mean over images x of KL(p(y | x) || p(y)), where p(y) is the mean of p(y | x): 1
  /// where all images look alike or none is like a digit, at most the number of classes. (Salimans
  /// et al., arXiv 1606.03498, section 4; there the classifier is Inception)
  double inception_score() const {
    double entropy = 0.0;
    for (const double share : share_)
      if (share > 0.0) entropy -= share / count() * std::log(share / count());
    return std::exp(negative_entropy_ / count() + entropy);
  }

 private:
  double count() const { return static_cast<double>(count_); }

  std::size_t count_ = 0;
  std::vector<double> sum_;
  std::vector<double> products_;  ///< the lower triangle
  std::vector<double> share_;     ///< the sum of p(y | x), by class
  double negative_entropy_ = 0.0;
};

}  // namespace app
