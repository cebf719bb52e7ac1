#pragma once

#include <halfstep/tensor/shape.hpp>

#include <array>
#include <string>

namespace deepbench {

// Problems out of the training lists of DeepBench (github.com/baidu-research/DeepBench,
// code/kernels), which took them from published models; the applications are those that its README
// names.

/// C [m, n] = op(A) op(B) in columns first, as DeepBench counts: row-major, C^T = op(B)^T op(A)^T.
struct Product {
  const char* application;
  halfstep::Index m, n, k;
  bool transpose_a = false, transpose_b = false;
};

inline constexpr std::array products{
    Product{"speech recognition", 1760, 16, 1760},
    Product{"speech recognition", 1760, 128, 1760},
    Product{"speech recognition", 1760, 7000, 1760},
    Product{"speech recognition", 2048, 7000, 2048, true},
    Product{"speech recognition", 2560, 64, 2560},
    Product{"speech recognition", 2560, 7133, 2560, false, true},
    Product{"speech recognition", 4096, 7000, 4096},
    Product{"speech recognition", 5124, 9124, 2560, true},
    Product{"speech recognition", 35, 8457, 2560},
    Product{"speech recognition", 3072, 128, 1024, true},
    Product{"speech recognition", 7680, 24000, 2560},
    Product{"language modelling", 1024, 16, 500000},
};

/// Images of width x height with `channels`, `batch` of them, and `filters` kernels.
struct Convolution {
  const char* application;
  halfstep::Index width, height, channels, batch, filters;
  halfstep::Index kernel_width, kernel_height;
  halfstep::Index padding, stride;
};

inline constexpr std::array convolutions{
    Convolution{"speech recognition", 700, 161, 1, 32, 32, 20, 5, 0, 2},
    Convolution{"speech recognition", 341, 79, 32, 32, 32, 10, 5, 0, 2},
    Convolution{"face recognition", 54, 54, 64, 8, 64, 3, 3, 1, 1},
    Convolution{"computer vision", 224, 224, 3, 16, 64, 3, 3, 1, 1},
    Convolution{"computer vision", 112, 112, 64, 16, 128, 3, 3, 1, 1},
    Convolution{"computer vision", 28, 28, 256, 16, 512, 3, 3, 1, 1},
    Convolution{"computer vision", 7, 7, 512, 16, 512, 3, 3, 1, 1},
    Convolution{"computer vision", 28, 28, 192, 16, 32, 5, 5, 2, 1},
    Convolution{"computer vision", 56, 56, 64, 16, 64, 3, 3, 1, 1},
    Convolution{"computer vision", 56, 56, 256, 16, 128, 1, 1, 0, 2},
    Convolution{"computer vision", 14, 14, 1024, 16, 256, 1, 1, 0, 1},
};

/// A layer of `hidden` units, which are its input's width too, over `time` steps.
struct Recurrent {
  const char* application;
  const char* cell;
  halfstep::Index hidden, batch, time;
};

inline constexpr std::array recurrents{
    Recurrent{"machine translation", "lstm", 512, 64, 25},
    Recurrent{"machine translation", "lstm", 1024, 128, 25},
    Recurrent{"machine translation", "lstm", 4096, 64, 25},
    Recurrent{"language modelling", "lstm", 1536, 32, 50},
    Recurrent{"character language modelling", "lstm", 256, 64, 150},
    Recurrent{"speech recognition", "gru", 1536, 32, 187},
    Recurrent{"speech recognition", "gru", 2816, 32, 187},
};

}  // namespace deepbench
