#pragma once

#include "../measure/random_tensor.hpp"
#include "device_timer.cuh"

namespace measure {

using GpuBackend = halfstep::backend::Cublas;

/// A device copy within memory: half of `bytes` read, half written.
class DeviceCopy {
 public:
  explicit DeviceCopy(double bytes)
      : from_(random_tensor_on<float, GpuBackend>({static_cast<halfstep::Index>(bytes / 8.0)})),
        to_(from_.shape()) {}
  double bytes() const { return 8.0 * static_cast<double>(from_.size()); }
  void operator()(int) { GpuBackend::copy(from_.size(), from_.data(), to_.data()); }

 private:
  halfstep::TensorOf<float, GpuBackend> from_;
  halfstep::TensorOf<float, GpuBackend> to_;
};

/// The exclusive or of n words of 16 bytes: a read and next to no arithmetic. Four loads are under
/// way at once.
struct ReadWords {
  halfstep::Index n;
  const uint4* words;
  unsigned* out;

  template <class Block>
  __device__ void operator()(Block& block) const {
    block.own([&](int thread) {
      const halfstep::Index stride = block.blocks() * block.threads();
      const halfstep::Index first = block.index() * block.threads() + thread;
      unsigned sum = 0;
      halfstep::Index i = first;
      for (; i + 3 * stride < n; i += 4 * stride) {
        const uint4 four[4] = {words[i], words[i + stride], words[i + 2 * stride],
                               words[i + 3 * stride]};
        for (const uint4& w : four) sum ^= w.x ^ w.y ^ w.z ^ w.w;
      }
      for (; i < n; i += stride) sum ^= words[i].x ^ words[i].y ^ words[i].z ^ words[i].w;
      out[first] = sum;  // or the compiler would read nothing
    });
  }
};

/// A plain read of `bytes`, a multiple of 16.
class DeviceRead {
 public:
  DeviceRead(const void* from, double bytes)
      : from_(static_cast<const uint4*>(from)), words_(static_cast<halfstep::Index>(bytes / 16.0)) {
    int processors = 0;
    cuda::check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0),
                "cudaDeviceGetAttribute");
    blocks_ = 8 * processors;
    out_ = halfstep::TensorOf<std::int32_t, GpuBackend>({blocks_ * threads});
  }
  void operator()(int) {
    cuda::Queue::launch({blocks_, threads},
                        ReadWords{words_, from_, reinterpret_cast<unsigned*>(out_.data())});
  }

 private:
  static constexpr int threads = 256;
  const uint4* from_;
  halfstep::Index words_;
  halfstep::Index blocks_ = 0;
  halfstep::TensorOf<std::int32_t, GpuBackend> out_;
};

/// C = op(A) op(B) on fresh random numbers, as many sets of them as outgrow the cache.
template <class Setup>
class RandomProduct {
 public:
  using Storage = typename Setup::Activation;
  using Array = halfstep::TensorOf<Storage, GpuBackend>;

  explicit RandomProduct(const halfstep::GemmProblem& p) : problem_(p) {
    const auto count = sets_beyond_cache(bytes());
    for (int i = 0; i < count; ++i) {
      const auto seed = static_cast<std::uint64_t>(2 * i + 1);
      a_.push_back(random_tensor_on<Storage, GpuBackend>({p.m, p.k}, seed));
      b_.push_back(random_tensor_on<Storage, GpuBackend>({p.k, p.n}, seed + 1));
      c_.emplace_back(halfstep::Shape{p.m, p.n});
    }
  }
  int sets() const { return static_cast<int>(a_.size()); }
  double flop() const {
    return 2.0 * static_cast<double>(problem_.m) * static_cast<double>(problem_.n * problem_.k);
  }
  /// Each number once.
  double bytes() const {
    const halfstep::GemmProblem& p = problem_;
    return static_cast<double>(sizeof(Storage)) *
           static_cast<double>(p.m * p.k + p.k * p.n + p.m * p.n);
  }
  void operator()(int set) {
    const auto i = static_cast<std::size_t>(set);
    const Storage* const a = a_[i].data();
    const Storage* const b = b_[i].data();
    GpuBackend::gemm<typename Setup::Compute>(problem_, a, b, c_[i].data(),
                                              static_cast<const Storage*>(nullptr));
  }

 private:
  halfstep::GemmProblem problem_;
  std::vector<Array> a_, b_, c_;
};

/// The device's rate in a precision's products, in FLOP/s: random matrices of 8192.
template <class Setup>
double product_rate(double seconds) {
  RandomProduct<Setup> product({.m = 8192, .n = 8192, .k = 8192});
  const double flop = product.flop();
  const int sets = product.sets();
  return flop / DeviceTimer(std::move(product), Calls::launched, sets).samples(seconds).median();
}

/// The device's rate of plain copies, in bytes/s, counting what is read and what is written.
inline double copy_rate(double seconds) {
  DeviceCopy copy(4e9);
  const double bytes = copy.bytes();
  return bytes / DeviceTimer(std::move(copy), Calls::launched).samples(seconds).median();
}

}  // namespace measure
