#pragma once

#include <app/options.hpp>

#include <halfstep/precision/policy.hpp>

#include <array>
#include <optional>

namespace app {

/// What speech_ctc can be told beside the options that training programs share. What is not said is
/// the preset's.
struct SpeechOptions : Options {
  std::string preset = "full";
  std::optional<std::int64_t> hidden, layers, sequences, steps, corpus;
  double noise = 1.5;
};

inline constexpr std::array speech_presets{"full", "small"};

/// The paper's ablation: updates go straight into FP16 weights, and those below half an ulp of
/// theirs are lost. The loss is scaled.
struct Fp16WithoutMasters : halfstep::MixedFp16 {
  static constexpr std::string_view name = "fp16_without_masters";
  using Update = halfstep::update::UnsafeNearest;
};

/// All of speech_ctc on one backend: generates the data, trains in each precision, prints the
/// table. Each backend is compiled by itself, in the file of its name.
///
/// @throws halfstep::Error  a precision is not to be had, or a run was stopped
template <class Backend>
void run_speech_ctc(const SpeechOptions& options);

}  // namespace app
