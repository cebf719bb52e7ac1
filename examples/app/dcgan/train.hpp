#pragma once

#include <app/compare_precisions.hpp>
#include <app/dcgan/adversarial_trainer.hpp>
#include <app/dcgan/digit_judge.hpp>
#include <app/dcgan/run.hpp>
#include <app/gray_image.hpp>
#include <app/step_log.hpp>

#include <filesystem>

namespace app {

/// What a run is, every number said.
struct DcganPlan {
  DcganSettings models;
  halfstep::Index batch = 32;
  std::int64_t steps = 2000;
  double learning_rate = 1e-3;

  /// The preset's, and what the command line says otherwise.
  static DcganPlan of(const DcganOptions& options) {
    DcganPlan plan;
    if (options.preset == "full") plan = {{.latent = 100, .width = 64}, 64, 5000, 5e-4};
    const auto take = [](auto& to, const auto& said) { to = said.value_or(to); };
    take(plan.models.latent, options.latent);
    take(plan.models.width, options.width);
    take(plan.batch, options.batch);
    take(plan.steps, options.steps);
    take(plan.learning_rate, options.learning_rate);
    return plan;
  }
};

/// What a generator makes of these latent numbers, in evaluation mode.
template <class Setup>
auto generated(const Generator<Setup>& generator, const halfstep::nn::Input<Setup>& latent) {
  const halfstep::inference scope;
  return halfstep::cast<float>(generator(latent));
}

/// The inception score of so many generated digits, and their Frechet distance from real ones. The
/// latent numbers are the same at each call.
template <class Setup, class Judge>
std::vector<Score> scores(const Generator<Setup>& generator, const Judge& judge,
                          halfstep::Index samples, std::uint64_t seed) {
  constexpr halfstep::Index at_once = 500;
  constexpr std::uint64_t stream = 2;
  halfstep::RandomStream random(seed, stream);
  ImageStatistics seen = Judge::statistics();
  for (halfstep::Index done = 0; done < samples; done += at_once)
    judge.look(generated(generator, generator.draw(std::min(at_once, samples - done), random)),
               seen);
  return {number_score("frechet_distance", "Frechet\ndistance", judge.distance(seen)),
          number_score("inception_score", "inception\nscore", seen.inception_score())};
}

/// 8 x 8 generated digits. The latent numbers are the same for every generator.
template <class Setup>
GrayImage digit_grid(const Generator<Setup>& generator, std::uint64_t seed) {
  constexpr std::uint32_t digits = 8, side = 28, cell = side + 2;
  constexpr std::uint64_t stream = 3;
  halfstep::RandomStream random(seed, stream);
  const std::vector<float> values =
      halfstep::train::to_host(generated(generator, generator.draw(digits * digits, random)));
  GrayImage image{digits * cell, digits * cell, {}};
  image.pixels.resize(image.width * image.height, 0);
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    const std::uint32_t digit = i / (side * side), y = i / side % side, x = i % side;
    const std::uint32_t row = digit / digits * cell + 1 + y, column = digit % digits * cell + 1 + x;
    image.pixels[row * image.width + column] =
        static_cast<std::uint8_t>(std::lround(127.5f * (1.0f + values[i])));
  }
  return image;
}

/// Where the digits of a precision are shown.
inline std::string image_path(const DcganOptions& options, const std::string& precision) {
  return options.images + "_" + precision + std::string(image_extension);
}

/// Trains a generator and its discriminator, and has the generator judged now and then.
///
/// @throws halfstep::NonFiniteError  too many rounds in a row were skipped
/// @throws halfstep::IoError         the image cannot be written
template <class Setup, class Judge>
TrainingResult train_dcgan(const Run<Setup>& run, const DcganOptions& options,
                           const DcganPlan& plan, const halfstep::data::ClassificationSet& digits,
                           const Judge& judge) {
  Generator<Setup> generator(plan.models);
  Discriminator<Setup> discriminator(plan.models);
  generator.initialise(run.seed());
  discriminator.initialise(run.seed() + 1);
  AdversarialTrainer<Setup> trainer(
      generator, discriminator, {.learning_rate = plan.learning_rate, .beta1 = 0.5}, run.scaling);
  constexpr std::uint64_t stream = 1;
  halfstep::RandomStream random(run.seed(), stream);
  // Without a thread that prepares the next batch, nobody else takes memory meanwhile.
  halfstep::data::Loader<Setup> loader(
      digits, {.batch_size = plan.batch, .seed = run.seed(), .prefetch = 0});
  auto batch = loader.begin();
  const std::int64_t between = std::max<std::int64_t>(1, plan.steps / 4);
  const auto in_use = [] { return static_cast<std::int64_t>(Setup::Device::pool().use().in_use); };
  std::int64_t kept = 0;

  StepLog<Setup> log(run, "dcgan");
  for (std::int64_t step = 1; step <= plan.steps; ++step) {
    const Place place{"step", step, plan.steps};
    const auto real = as_images(batch->x);
    const auto latent = generator.draw(batch->size(), random);
    const Stopwatch watch;
    const std::int64_t before = in_use();
    const auto round = trainer.round(real, latent, [&] {
      // The first step also makes what stays: gradients, moments, plans.
      if (step <= 2) kept = in_use() - before;
    });
    // The generator's loss stands for the round; reading it waits.
    const double loss = round.of_generator.loss();
    log.add(place, watch.milliseconds(), loss, round.of_generator.applied(),
            static_cast<double>(batch->size()));
    if (++batch == loader.end()) batch = loader.begin();
    if (step % between == 0 || step == plan.steps)
      log.evaluated(place, trainer, scores(generator, judge, options.samples, run.seed()));
  }
  if (!options.images.empty())
    write_image(digit_grid(generator, run.seed()), image_path(options, run.precision));

  TrainingResult result = log.result(trainer.generator());
  result.parameter_bytes += parameter_bytes(discriminator);
  result.optimizer_bytes +=
      static_cast<std::int64_t>(trainer.discriminator().optimizer().optimizer_bytes());
  result.activation_bytes = kept;
  return result;
}

template <class Backend>
void run_dcgan(const DcganOptions& options) {
  const auto precisions = require_precisions<Backend>(canonical_precisions(options.precision));
  const auto digits = halfstep::data::mnist(options.data);
  const DcganPlan plan = DcganPlan::of(options);
  // Images that cannot be written are told before anything is trained.
  const auto folder = std::filesystem::path(options.images).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    halfstep::fail<halfstep::IoError>("--images ", options.images, ": there is no folder ",
                                      folder.string());
  JsonLines json(options.json);
  Progress progress(json.on_standard_output());
  json.write({{"event", "run"},
              {"program", "dcgan"},
              {"data", options.data},
              {"training_samples", digits.first.size()},
              {"test_samples", digits.second.size()},
              {"latent", plan.models.latent},
              {"width", plan.models.width},
              {"batch", plan.batch},
              {"steps", plan.steps},
              {"learning_rate", plan.learning_rate},
              {"samples", options.samples},
              {"backend", Backend::name},
              {"precisions", precisions},
              {"seed", options.seed},
              {"threads", halfstep::threads()}});

  const DigitJudge<Backend> judge(digits.first, digits.second);
  const double distance = judge.distance(judge.trained_on());
  const double score = judge.tested_on().inception_score();
  json.write({{"event", "judge"},
              {"test_accuracy", judge.accuracy()},
              {"frechet_distance", distance},
              {"inception_score", score}});
  progress.line("The judge tells " + fixed(100.0 * judge.accuracy(), 2) +
                " % of the test digits rightly. For it real digits, training against test, have a\n"
                "Frechet distance of " +
                fixed(distance, 3) + " and an inception score of " + fixed(score, 3) + ".\n");

  compare_precisions<Backend>(precisions, options, progress, json, [&](const auto& run) {
    return train_dcgan(run, options, plan, digits.first, judge);
  });
}

}  // namespace app
