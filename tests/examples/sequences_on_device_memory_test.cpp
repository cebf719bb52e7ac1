#include <app/cartpole/train.hpp>
#include <app/char_gpt/train.hpp>
#include <app/char_lstm/train.hpp>
#include <app/speech_ctc/train.hpp>
#include <app/translate/train.hpp>

#include "examples/on_device_memory.hpp"

namespace halfstep::test {
namespace {

/// "abcabc...".
app::CharacterText text() {
  std::string characters;
  for (int i = 0; i < 60; ++i) characters += "abc";
  return app::CharacterText(characters);
}

template <template <class> class Model, class Settings>
void expect_the_same_language_model(const Settings& settings) {
  app::LanguageOptions options;
  options.sample = 4;
  const app::LanguagePlan<Settings> plan{settings, 2, 3, 1e-3};
  const app::CharacterText learnt = text();
  expect_the_same_on_device_memory<MixedFp16>(
      options, [&]<class Setup>(const app::Run<Setup>& run) {
        return app::learn_text<Model<Setup>>(run, "model", options, plan, learnt, "ab");
      });
}

TEST(OnDeviceMemory, TheCharacterGptTrainsAsOnTheHost) {
  app::GptSettings settings{
      .vocabulary = 3, .layers = 2, .heads = 2, .width = 8, .context = 6, .dropout = 0.1};
  expect_the_same_language_model<app::Gpt>(settings);
  settings.tied = settings.recompute = true;
  expect_the_same_language_model<app::Gpt>(settings);
}

TEST(OnDeviceMemory, TheCharacterLstmTrainsAsOnTheHost) {
  expect_the_same_language_model<app::CharLstm>(app::CharLstmSettings{
      .vocabulary = 3, .layers = 2, .width = 8, .context = 6, .dropout = 0.1});
}

TEST(OnDeviceMemory, TheTranslatorTrainsAsOnTheHost) {
  app::TranslateOptions options;
  RandomStream random(1);
  const std::vector<app::DatePair> dates = app::draw_dates(3, true, random);
  const app::TranslatePlan plan{.width = 8, .pairs = 2, .steps = 3};
  expect_the_same_on_device_memory<MixedFp16>(
      options, [&](const auto& run) { return app::train_translator(run, plan, dates, dates); });
}

TEST(OnDeviceMemory, SpeechTrainsAsOnTheHost) {
  app::SpeechOptions options;
  const app::SpeechPlan plan{
      .hidden = 8, .layers = 2, .sequences = 2, .steps = 3, .corpus = 4, .warm_up = 1};
  const app::SpeechData data(plan, options);
  expect_the_same_on_device_memory<MixedFp16>(
      options, [&](const auto& run) { return app::train_speech_ctc(run, plan, data); });
}

TEST(OnDeviceMemory, TheCartIsDrivenAndLearntFromAsOnTheHost) {
  app::CartPoleOptions options;
  options.carts = 4;
  options.rounds = 4;
  options.epochs = 2;
  options.batch = 8;
  expect_the_same_on_device_memory<MixedFp16>(
      options, [&](const auto& run) { return app::train_cartpole(run, options, 16); });
}

}  // namespace
}  // namespace halfstep::test
