#include <cmath>
#include <cstdlib>
#include <fstream>

#include "examples/idx_files.hpp"
#include "examples/json_events.hpp"

namespace halfstep::test {
namespace {

struct Program {
  std::string name;
  std::string arguments;  ///< of a run of seconds
};

/// Every program that takes --backend, and what it trains.
class OnCuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("mnist")) GTEST_SKIP() << not_built;
    write_mnist(folder.path() / "small", 200);
    std::ofstream file(folder / "text.txt");
    for (int i = 0; i < 400; ++i) file << "abc";
  }

  const std::vector<Program> programs{
      {"mnist", "--data small --epochs 2 --batch 50"},
      {"mnist", "--data small --epochs 2 --batch 50 --model cnn"},
      {"mnist", "--data small --epochs 2 --batch 50 --model resnet --telemetry telemetry.jsonl"},
      {"char_gpt", "--data text.txt --preset small --steps 20"},
      {"char_gpt", "--data text.txt --preset small --steps 20 --recompute --tied --dropout 0.1"},
      {"char_lstm", "--data text.txt --preset small --steps 20"},
      {"speech_ctc", "--preset small --steps 20 --sequences 100"},
      {"translate", "--preset small --steps 20"},
      {"dcgan", "--data small --preset small --steps 20 --samples 100 --images ''"},
      {"detector", "--data small --preset small --steps 20 --test-canvases 20"},
      {"cartpole", "--preset small --steps 8192"}};
  Folder folder;
};

#if defined(HALFSTEP_PROGRAMS_HAVE_CUDA)

constexpr const char* no_gpu = "choose a CPU backend";

TEST_F(OnCuda, AProgramWithoutAGpuSaysWhatToDoBeforeItMakesAFile) {
  // No GPU is visible to the programs, whether there is one or not.
  setenv("CUDA_VISIBLE_DEVICES", "-1", 1);
  for (const Program& program : programs)
    expect_refusal(program.name, program.arguments + " --backend cuda --json lines.json", 1,
                   {no_gpu}, folder);
  // It is the device that is missing: CPUs refuse TF32 by its name.
  expect_refusal("mnist", "--precision tf32 --backend cuda", 1, {no_gpu}, folder);
  unsetenv("CUDA_VISIBLE_DEVICES");
  for (const char* file : {"lines.json", "telemetry.jsonl"})
    EXPECT_FALSE(std::filesystem::exists(folder / file)) << "a failed run left " << file;
}

TEST_F(OnCuda, EveryProgramTrainsInEveryPrecisionOfTheGpu) {
  for (const Program& program : programs) {
    SCOPED_TRACE(program.name + " " + program.arguments);
    const Ran ran =
        run(program.name, program.arguments + " --backend cuda --precision all --json lines.json",
            folder);
    if (ran.code == 1 && ran.error.find(no_gpu) != std::string::npos)
      GTEST_SKIP() << "no NVIDIA GPU is visible: " << ran.error;
    ASSERT_EQ(ran.code, 0) << ran.error;
    const std::string text = contents(folder / "lines.json");
    const auto results = events(text, "result");
    EXPECT_EQ(results.size(), events(text, "run").at(0).at("precisions").size());
    bool has_tf32 = false;
    for (const auto& result : results) {
      EXPECT_EQ(result.at("backend"), "cuda");
      EXPECT_TRUE(result.at("final_loss").is_number()) << result;
      EXPECT_GT(result.at("activation_bytes"), 0) << result;
      has_tf32 = has_tf32 || result.at("precision") == "tf32";
    }
    EXPECT_TRUE(has_tf32) << text;
  }
}

#else

TEST_F(OnCuda, AProgramThatWasBuiltWithoutSaysSo) {
  for (const Program& program : programs)
    expect_refusal(program.name, program.arguments + " --backend cuda --json lines.json", 1,
                   {"--backend cuda", "built without CUDA", "choose --backend"}, folder);
  EXPECT_FALSE(std::filesystem::exists(folder / "lines.json")) << "a failed run left output";
}

#endif

}  // namespace
}  // namespace halfstep::test
