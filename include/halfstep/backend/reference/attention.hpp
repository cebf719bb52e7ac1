#pragma once

#include <halfstep/numeric/storage_cast.hpp>
#include <halfstep/ops/attention.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::backend::reference {

/// One head of attention, its inputs and their gradients in double.
class AttentionHead {
 public:
  explicit AttentionHead(const AttentionProblem& problem) : p_(problem) {}

  /// sum_d a[d] b[d] over a row of each.
  template <class T>
  double dot(const T* a, const T* b) const {
    double sum = 0.0;
    for (Index d = 0; d < p_.width; ++d)
      sum += storage_cast<double>(a[d]) * storage_cast<double>(b[d]);
    return sum;
  }
  /// The scaled scores of query i over the keys it sees, and the logarithm of their sum of exp.
  template <class T>
  double scores(Index i, const T* q, const T* k, std::vector<double>& row) const {
    row.resize(static_cast<std::size_t>(p_.seen(i)));
    for (std::size_t j = 0; j < row.size(); ++j)
      row[j] = p_.scale * dot(q + i * p_.q.time, k + static_cast<Index>(j) * p_.k.time);
    const double largest = *std::max_element(row.begin(), row.end());
    double sum = 0.0;
    for (const double score : row) sum += std::exp(score - largest);
    return largest + std::log(sum);
  }

 private:
  const AttentionProblem& p_;
};

/// Y = softmax(scale Q K^T) V; log_sum is [batch, heads, queries].
template <class T, class Scalar>
void attention(const AttentionProblem& p, const T* q, const T* k, const T* v, T* y,
               Scalar* log_sum) {
  const AttentionHead head(p);
  std::vector<double> row;
  for (Index at = 0; at < p.batch * p.heads; ++at) {
    const Index b = at / p.heads, h = at % p.heads;
    for (Index i = 0; i < p.queries; ++i) {
      const double total = head.scores(i, q + p.q(b, h), k + p.k(b, h), row);
      log_sum[at * p.queries + i] = static_cast<Scalar>(total);
      for (Index d = 0; d < p.width; ++d) {
        double sum = 0.0;
        for (std::size_t j = 0; j < row.size(); ++j)
          sum += std::exp(row[j] - total) *
                 storage_cast<double>(v[p.v(b, h) + static_cast<Index>(j) * p.v.time + d]);
        y[p.y(b, h) + i * p.y.time + d] = storage_cast<T>(sum);
      }
    }
  }
}

/// With P = exp(scale Q K^T - log_sum) and dS = P (G V^T - rowsum(G Y)):
/// dQ = scale dS K, dK = scale dS^T Q, dV = P^T G.
template <class T, class Scalar>
void attention_backward(const AttentionProblem& p, const T* q, const T* k, const T* v, const T* y,
                        const Scalar* log_sum, const T* upstream, const AttentionGradients<T>& to) {
  const AttentionHead head(p);
  const auto size = [&](Index rows) { return static_cast<std::size_t>(rows * p.width); };
  std::vector<double> row;
  std::vector<double> sum_q, sum_k, sum_v;
  const auto store = [&](T* into, bool add, const std::vector<double>& sums, const HeadStrides& by,
                         Index start) {
    if (into == nullptr) return;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const auto at = static_cast<Index>(i);
      T& element = into[start + at / p.width * by.time + at % p.width];
      element = storage_cast<T>(sums[i] + (add ? storage_cast<double>(element) : 0.0));
    }
  };
  for (Index at = 0; at < p.batch * p.heads; ++at) {
    const Index b = at / p.heads, h = at % p.heads;
    const T* const q_head = q + p.q(b, h);
    const T* const k_head = k + p.k(b, h);
    const T* const v_head = v + p.v(b, h);
    sum_q.assign(size(p.queries), 0.0);
    sum_k.assign(size(p.keys), 0.0);
    sum_v.assign(size(p.keys), 0.0);
    for (Index i = 0; i < p.queries; ++i) {
      head.scores(i, q_head, k_head, row);
      const T* const g = upstream + p.y(b, h) + i * p.y.time;
      const double shared = head.dot(g, y + p.y(b, h) + i * p.y.time);
      for (std::size_t seen = 0; seen < row.size(); ++seen) {
        const auto j = static_cast<Index>(seen);
        const double probability =
            std::exp(row[seen] - static_cast<double>(log_sum[at * p.queries + i]));
        const double slope = p.scale * probability * (head.dot(g, v_head + j * p.v.time) - shared);
        for (Index d = 0; d < p.width; ++d) {
          const auto in_q = static_cast<std::size_t>(i * p.width + d);
          const auto in_k = static_cast<std::size_t>(j * p.width + d);
          sum_q[in_q] += slope * storage_cast<double>(k_head[j * p.k.time + d]);
          sum_k[in_k] += slope * storage_cast<double>(q_head[i * p.q.time + d]);
          sum_v[in_k] += probability * storage_cast<double>(g[d]);
        }
      }
    }
    store(to.q, to.add_q, sum_q, p.q, p.q(b, h));
    store(to.k, to.add_k, sum_k, p.k, p.k(b, h));
    store(to.v, to.add_v, sum_v, p.v, p.v(b, h));
  }
}

}  // namespace halfstep
