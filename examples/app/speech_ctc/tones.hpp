#pragma once

#include <halfstep/core/random.hpp>
#include <halfstep/tensor/shape.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace app {

// The keys of a telephone, each a chord of a low and a high tone (ITU-T Q.23), as something that is
// spoken: by a voice of its own tuning, loud or soft, fast or slow, in noise.

inline constexpr double sample_rate = 4000.0;
inline constexpr std::size_t frame_samples = 128;  ///< of a frame: 32 ms
inline constexpr std::size_t frame_hop = 64;       ///< samples from one frame to the next
inline constexpr std::size_t tone_bands = 24;
inline constexpr std::string_view telephone_keys = "123456789*0#";
inline constexpr std::array low_tones{697.0, 770.0, 852.0, 941.0};
inline constexpr std::array high_tones{1209.0, 1336.0, 1477.0};

/// A sequence of keys: what is heard, and which they were.
struct ToneSequence {
  std::vector<float> features;        ///< [time, bands]
  std::vector<std::int32_t> symbols;  ///< from 1: 0 is CTC's blank

  halfstep::Index time() const {
    return static_cast<halfstep::Index>(features.size() / tone_bands);
  }
};

/// Symbols as the keys that they stand for.
inline std::string written(std::span<const std::int32_t> symbols) {
  std::string text;
  for (const std::int32_t symbol : symbols)
    text += telephone_keys[static_cast<std::size_t>(symbol - 1)];
  return text;
}

/// The logarithm of the magnitude of a signal in each band: a short-time Fourier transform at
/// frequencies that grow by equal factors from 600 to 1,650 Hz, under a Hann window.
class FilterBank {
 public:
  FilterBank() {
    for (std::size_t t = 0; t < frame_samples; ++t) {
      const double phase = 2.0 * std::numbers::pi * static_cast<double>(t);
      const double hann = 0.5 - 0.5 * std::cos(phase / static_cast<double>(frame_samples));
      for (std::size_t band = 0; band < tone_bands; ++band) {
        const double share = static_cast<double>(band) / static_cast<double>(tone_bands - 1);
        const double angle = phase * 600.0 * std::pow(2.75, share) / sample_rate;
        cosines_[t][band] = static_cast<float>(hann * std::cos(angle));
        sines_[t][band] = static_cast<float>(hann * std::sin(angle));
      }
    }
  }

  /// @return  [time, bands], a frame for each hop that a whole window follows
  std::vector<float> operator()(std::span<const float> signal) const {
    std::vector<float> features;
    for (std::size_t first = 0; first + frame_samples <= signal.size(); first += frame_hop) {
      std::array<float, tone_bands> real{}, imaginary{};
      for (std::size_t t = 0; t < frame_samples; ++t)
        for (std::size_t band = 0; band < tone_bands; ++band) {
          real[band] += signal[first + t] * cosines_[t][band];
          imaginary[band] += signal[first + t] * sines_[t][band];
        }
      for (std::size_t band = 0; band < tone_bands; ++band)
        features.push_back(std::log(0.1f + std::hypot(real[band], imaginary[band])));
    }
    return features;
  }

 private:
  using Table = std::array<std::array<float, tone_bands>, frame_samples>;
  Table cosines_{}, sines_{};
};

/// Draws sequences of keys. A seed and a stream name a set: the same one for every precision.
class ToneGenerator {
 public:
  /// @param noise  the deviation of the loudest noise; a tone's amplitude is at most 1
  ToneGenerator(double noise, std::uint64_t seed, std::uint64_t stream)
      : noise_(noise), random_(seed, stream) {}

  std::vector<ToneSequence> sequences(std::int64_t count) {
    std::vector<ToneSequence> set;
    for (std::int64_t i = 0; i < count; ++i) set.push_back(sequence());
    return set;
  }

 private:
  double between(double low, double high) { return low + (high - low) * random_.uniform(); }
  std::size_t frames(double low, double high) {
    return static_cast<std::size_t>(between(low, high) * static_cast<double>(frame_hop));
  }

  ToneSequence sequence() {
    ToneSequence result;
    const double tuning = between(0.96, 1.04);  // a key's neighbour is a factor of 1.1 away
    const double pace = between(0.7, 1.3);
    std::vector<float> signal(frame_samples);
    const std::uint64_t count = 3 + random_.below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t key = random_.below(telephone_keys.size());
      result.symbols.push_back(static_cast<std::int32_t>(key) + 1);
      play(low_tones[key / 3] * tuning, high_tones[key % 3] * tuning, pace, signal);
      signal.resize(signal.size() + frames(0.5, 4.0));
    }
    const double loudness = noise_ * std::pow(between(0.3, 1.0), 2.0);
    for (float& sample : signal) sample += static_cast<float>(loudness) * random_.normal();
    result.features = bank_(signal);
    return result;
  }

  /// Adds a chord that swells and fades, a little out of tune.
  void play(double low, double high, double pace, std::vector<float>& signal) {
    const std::size_t length = frames(6.0 * pace, 10.0 * pace);
    const double step[] = {2.0 * std::numbers::pi * low * between(0.99, 1.01) / sample_rate,
                           2.0 * std::numbers::pi * high * between(0.99, 1.01) / sample_rate};
    const double phase[] = {between(0.0, 6.28), between(0.0, 6.28)};
    const double amplitude[] = {between(0.3, 1.0), between(0.3, 1.0)};
    for (std::size_t t = 0; t < length; ++t) {
      const auto at = static_cast<double>(t);
      const double envelope = std::sin(std::numbers::pi * (at + 0.5) / static_cast<double>(length));
      double sum = 0.0;
      for (int tone = 0; tone < 2; ++tone)
        sum += amplitude[tone] * std::sin(phase[tone] + step[tone] * at);
      signal.push_back(static_cast<float>(std::sqrt(envelope) * sum));
    }
  }

  FilterBank bank_;
  double noise_;
  halfstep::RandomStream random_;
};

}  // namespace app
