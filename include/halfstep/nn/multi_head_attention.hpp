#pragma once

#include <halfstep/autograd/attention.hpp>
#include <halfstep/nn/linear.hpp>

namespace halfstep::inline HALFSTEP_ABI::nn {

/// What a MultiHeadAttention may have otherwise.
struct MultiHeadAttentionSettings {
  /// Each position sees itself and what is before it only.
  bool causal = false;
  LinearSettings qkv{};
  LinearSettings projection{};
};

/// Attention of a sequence to itself: y = projection(attention(qkv(x))), with queries, keys and
/// values the consecutive thirds of one Linear, and heads consecutive parts of the width.
/// (Vaswani et al., arXiv 1706.03762, section 3.2.2)
///
/// @numerics  the scores are computed in tiles and not stored; see attention
template <class Setup>
class MultiHeadAttention : public Module<Setup> {
  using B = typename Setup::Backend;

 public:
  using Settings = MultiHeadAttentionSettings;

  /// @throws ShapeError  the heads do not divide the width
  MultiHeadAttention(const ModuleBase<B>& parent, std::string_view name, Index width, Index heads,
                     const Settings& settings = {})
      : Module<Setup>(parent, name),
        heads_(checked(name, width, heads)),
        causal_(settings.causal),
        qkv_(*this, "qkv", width, 3 * width, settings.qkv),
        projection_(*this, "projection", width, width, settings.projection) {}

  /// @param x  [..., time, width]
  /// @return  as x
  /// @throws ShapeError  the last extent of x is not the width
  template <class S>
  auto operator()(const Variable<S, B>& x) const {
    return through_edge<Setup>(x, [&](const Input<Setup>& input) {
      const Input<Setup> qkv = qkv_(input);
      const NameScope named(this->path());
      return projection_(attention(qkv, heads_, {.causal = causal_}));
    });
  }

 private:
  static Index checked(std::string_view name, Index width, Index heads) {
    if (heads < 1 || width < 1 || width % heads != 0)
      fail<ShapeError>("MultiHeadAttention '", name, "': ", heads,
                       " heads do not divide the width ", width,
                       "; each takes an equal part of it");
    return heads;
  }

  Index heads_;
  bool causal_;
  Linear<Setup> qkv_;
  Linear<Setup> projection_;
};

}  // namespace halfstep
