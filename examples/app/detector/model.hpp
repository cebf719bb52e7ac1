#pragma once

#include <app/detector/anchors.hpp>

#include <halfstep/halfstep.hpp>

#include <vector>

namespace app {

/// A detector of small objects in the manner of SSD (Liu et al., arXiv 1512.02325) on canvases of
/// 64 x 64: convolutions without normalization, as VGG's, halve the resolution three times; heads
/// on the maps of 8 x 8 and of 4 x 4 cells say for each anchor which class it has, background being
/// the last, and how its box is to be moved and stretched.
template <class Setup_>
class Detector : public halfstep::nn::Module<Setup_> {
 public:
  using Setup = Setup_;
  using Input = halfstep::nn::Input<Setup>;

  /// What the heads say, anchor by anchor.
  struct Output {
    Input classes;  ///< [batch, anchors, classes + 1], logits
    Input offsets;  ///< [batch, anchors, 4]
  };

  static constexpr halfstep::Index size = 64;

  /// @param classes  without the background
  explicit Detector(halfstep::Index classes)
      : classes_(classes), fine_head_(head("fine_head")), coarse_head_(head("coarse_head")) {}

  /// @param x  [batch, 64, 64, 1]
  Output operator()(const Input& x) const {
    using halfstep::relu;
    const Input quarter = pool_(relu(second_(pool_(relu(first_(x))))));
    const Input fine = relu(fourth_(pool_(relu(third_(quarter)))));
    const Input coarse = relu(sixth_(relu(fifth_(fine))));
    const halfstep::Index outputs = classes_ + 1 + 4;
    const Input all = halfstep::concatenate(
        {halfstep::reshape(fine_head_(fine), {x.shape()[0], -1, outputs}),
         halfstep::reshape(coarse_head_(coarse), {x.shape()[0], -1, outputs})},
        1);
    return {halfstep::slice(all, -1, 0, classes_ + 1), halfstep::slice(all, -1, classes_ + 1, 4)};
  }

  halfstep::Index classes() const { return classes_; }

  /// The anchors in the order of the outputs: two shapes in each cell, one of them for a narrow 1.
  static std::vector<Box> anchors() {
    std::vector<Box> boxes;
    AnchorGrid{8, 8.0f, {{15.0f, 18.0f}, {7.0f, 18.0f}}}.append_to(boxes);
    AnchorGrid{4, 16.0f, {{22.0f, 27.0f}, {10.0f, 27.0f}}}.append_to(boxes);
    return boxes;
  }

 private:
  static constexpr auto layout = halfstep::ImageLayout::channels_last;
  static constexpr halfstep::Index shapes = 2;
  using Conv = halfstep::nn::Conv2d<Setup>;

  static halfstep::nn::Conv2dLayerSettings padded(halfstep::Index stride = 1) {
    return {
        .stride = stride, .padding = 1, .layout = layout, .initialiser = halfstep::nn::he_normal()};
  }
  Conv head(std::string_view name) const {
    return Conv(*this, name, 64, shapes * (classes_ + 1 + 4), 3, {.padding = 1, .layout = layout});
  }

  halfstep::Index classes_;
  Conv first_{*this, "first", 1, 16, 3, padded()};
  Conv second_{*this, "second", 16, 32, 3, padded()};
  Conv third_{*this, "third", 32, 64, 3, padded()};
  Conv fourth_{*this, "fourth", 64, 64, 3, padded()};
  Conv fifth_{*this, "fifth", 64, 64, 3, padded(2)};
  Conv sixth_{*this, "sixth", 64, 64, 3, padded()};
  Conv fine_head_;
  Conv coarse_head_;
  halfstep::nn::MaxPool2d pool_{2, {.layout = layout}};
};

}  // namespace app
