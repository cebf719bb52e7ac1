#include "examples/idx_files.hpp"
#include "examples/run_program.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace halfstep::test {
namespace {

using Json = nlohmann::json;

std::vector<Json> parsed(const std::string& text) {
  std::vector<Json> result;
  for (const std::string& line : lines(text)) result.push_back(Json::parse(line));
  return result;
}
std::vector<Json> events(const std::vector<Json>& all, const std::string& name) {
  std::vector<Json> result;
  for (const Json& each : all)
    if (each.at("event") == name) result.push_back(each);
  return result;
}

class Mnist : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_built("mnist")) GTEST_SKIP() << not_built;
  }
  void expect_refused(const std::string& arguments, int code,
                      const std::vector<std::string>& fragments) {
    expect_refusal("mnist", arguments, code, fragments, folder);
  }

  Folder folder;
  std::string data = write_mnist(folder.path() / "small", 200);
};

TEST_F(Mnist, TrainsInEveryPrecisionAndEndsInATable) {
  const Ran ran =
      run("mnist", "--data small --precision all --epochs 5 --batch 20 --seed 7 --json lines.json",
          folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  EXPECT_EQ(ran.error, "");

  const std::vector<Json> all = parsed(contents(folder / "lines.json"));
  ASSERT_EQ(events(all, "run").size(), 1u);
  EXPECT_EQ(events(all, "epoch").size(), 5u * 5u);
  std::vector<std::string> precisions;
  for (const Json& result : events(all, "result")) {
    precisions.push_back(result.at("precision"));
    EXPECT_EQ(result.at("model"), "mlp");
    EXPECT_EQ(result.at("seed"), 7);
    EXPECT_TRUE(result.at("backend").is_string());
    // Ten bright bars are told apart at once.
    EXPECT_EQ(result.at("test_accuracy"), 1.0) << result;
    EXPECT_LT(result.at("final_loss"), 1.0);
    for (const char* key : {"median_step_ms", "samples_per_second", "activation_bytes"})
      EXPECT_GT(result.at(key), 0.0) << key;
    const bool narrow = precisions.back() != "fp32";
    const bool masters = precisions.back().rfind("mixed", 0) == 0;
    const std::int64_t parameters = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10;
    const auto per_parameter = [&](const char* key) {
      return std::llround(result.at(key).get<double>() / static_cast<double>(parameters));
    };
    EXPECT_EQ(per_parameter("parameter_bytes"), narrow ? 2 : 4);
    EXPECT_EQ(per_parameter("optimizer_bytes"), masters ? 12 : 8);
    EXPECT_EQ(result.at("skipped_steps"), 0);
    EXPECT_EQ(result.at("loss_scale"), precisions.back() == "mixed_fp16" ? 65536.0 : 1.0);
    EXPECT_EQ(result.size(), 14u) << "keys beyond those that are documented: " << result;
  }
  EXPECT_EQ(precisions, (std::vector<std::string>{"fp32", "mixed_fp16", "mixed_bf16", "pure_fp16",
                                                  "pure_bf16"}));

  const std::vector<std::string> said = lines(ran.out);
  ASSERT_GE(said.size(), 25u + 3u + 5u) << ran.out;
  for (std::size_t i = 0; i < precisions.size(); ++i) {
    const std::string& row = said[said.size() - 5 + i];
    EXPECT_EQ(row.rfind(precisions[i] + " ", 0), 0u) << row;
    EXPECT_NE(row.find("100.00 %"), std::string::npos) << row;
    EXPECT_EQ(row.size(), said.back().size()) << "the columns are not aligned:\n" << ran.out;
  }
  EXPECT_EQ(ran.out.find('\r'), std::string::npos) << "a line is rewritten in a pipe";
  EXPECT_EQ(ran.out.find('\033'), std::string::npos) << "terminal codes in a pipe";
}

TEST_F(Mnist, AResnetTellsShapesApartWhereverTheyStand) {
  write_shapes(folder.path() / "shapes", 160);
  const Ran ran =
      run("mnist", "--data shapes --model resnet --precision paper --epochs 6 --batch 16 --json -",
          folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::vector<Json> results = events(parsed(ran.out), "result");
  ASSERT_EQ(results.size(), 4u);
  const double fp32_activations = results[0].at("activation_bytes");
  for (const Json& result : results) {
    EXPECT_EQ(result.at("model"), "resnet");
    // Evaluation has the running statistics by then: 60 steps leave 0.2 % of the first ones.
    EXPECT_GE(result.at("test_accuracy"), 0.95) << result;
    if (result.at("precision") != "fp32") {
      EXPECT_LT(result.at("activation_bytes"), 0.55 * fp32_activations) << result;
    }
  }
  expect_refused("--data shapes --model resnet --backend reference", 1, {"resnet", "choose"});
}

TEST_F(Mnist, EveryModelTakesCifar10WhereTheFolderHasIt) {
  // The colour tells the class: its red, green or blue is bright.
  const auto write = [&](const std::string& name, int count) {
    std::ofstream file(folder / ("images/" + name), std::ios::binary);
    for (int i = 0; i < count; ++i) {
      file << static_cast<char>(i % 3);
      for (int channel = 0; channel < 3; ++channel)
        file << std::string(1024, static_cast<char>(channel == i % 3 ? 120 + i : i));
    }
  };
  std::filesystem::create_directory(folder.path() / "images");
  for (int part = 1; part <= 5; ++part) write("data_batch_" + std::to_string(part) + ".bin", 24);
  write("test_batch.bin", 30);
  for (const std::string model : {"mlp", "cnn", "resnet"}) {
    const Ran ran = run("mnist",
                        "--data images --precision mixed_bf16 --epochs 4 --batch 8 --json - "
                        "--model " +
                            model,
                        folder);
    ASSERT_EQ(ran.code, 0) << ran.error;
    const std::vector<Json> all = parsed(ran.out);
    EXPECT_EQ(events(all, "run").at(0).at("training_samples"), 120);
    EXPECT_EQ(events(all, "run").at(0).at("test_samples"), 30);
    EXPECT_GE(events(all, "result").at(0).at("test_accuracy"), 0.9) << model;
  }
  std::filesystem::resize_file(folder / "images/data_batch_2.bin", 5000);
  expect_refused("--data images", 1, {"images/data_batch_2.bin", "5000"});
  std::filesystem::remove(folder / "images/data_batch_2.bin");
  expect_refused("--data images", 1, {"images/data_batch_2.bin"});
}

TEST_F(Mnist, ShowsTheExponentsOfEachPrecision) {
  const Ran ran = run(
      "mnist",
      "--data small --precision fp32,mixed_fp16 --epochs 2 --batch 20 --telemetry exponents.json",
      folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  // Ten steps of 20 samples an epoch: the first step is looked into.
  const std::vector<Json> samples = parsed(contents(folder / "exponents.json"));
  ASSERT_EQ(samples.size(), 2u);
  EXPECT_EQ(samples[0].at("run"), "fp32");
  EXPECT_EQ(samples[1].at("run"), "mixed_fp16");
  EXPECT_EQ(samples[1].at("loss_scale"), 65536.0);
  std::set<std::string> seen;
  for (const Json& tensor : samples[1].at("tensors")) {
    seen.insert(tensor.at("kind").get<std::string>() + " " + tensor.at("name").get<std::string>());
    std::int64_t numbers = tensor.at("zeros");
    for (const std::int64_t count : tensor.at("exponents")) numbers += count;
    EXPECT_EQ(numbers, tensor.at("size")) << tensor;
  }
  for (const char* name : {"activation relu", "gradient first.weight", "update second.bias"})
    EXPECT_EQ(seen.count(name), 1u) << name;
  for (const char* title : {"telemetry of fp32, 1 step", "telemetry of mixed_fp16, 1 step"})
    EXPECT_NE(ran.out.find(title), std::string::npos) << ran.out;
  expect_refused("--data small --epochs 1 --telemetry nowhere/exponents.json", 1,
                 {"nowhere/exponents.json"});
}

TEST_F(Mnist, GivesStandardOutputToJsonWhereItIsAskedTo) {
  const Ran ran =
      run("mnist", "--data small --precision bf16-mixed,fp32,32 --epochs 1 --json -", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::vector<Json> results = events(parsed(ran.out), "result");
  ASSERT_EQ(results.size(), 2u) << "a synonym is the same precision";
  EXPECT_EQ(results[0].at("precision"), "mixed_bf16");
  EXPECT_EQ(results[1].at("precision"), "fp32");
  EXPECT_NE(ran.error.find("test"), std::string::npos) << "the table is for people to read";
}

TEST_F(Mnist, TheSameSeedGivesTheSameLosses) {
  const auto losses = [&](const std::string& seed) {
    const Ran ran =
        run("mnist", "--data small --precision fp32 --epochs 2 --threads 1 --json - --seed " + seed,
            folder);
    std::vector<double> result;
    for (const Json& epoch : events(parsed(ran.out), "epoch")) result.push_back(epoch.at("loss"));
    return result;
  };
  const std::vector<double> first = losses("3");
  EXPECT_EQ(first.size(), 2u);
  EXPECT_EQ(first, losses("3"));
  EXPECT_NE(first, losses("4"));
}

TEST_F(Mnist, EveryBackendAndOptimizerLearns) {
  for (const char* choice : {"--backend reference --optimizer adam --batch 20 --epochs 1",
                             "--backend eigen --optimizer sgd --batch 10 --epochs 4",
                             "--backend eigen --optimizer momentum --batch 10 --epochs 4"}) {
    SCOPED_TRACE(choice);
    const Ran ran =
        run("mnist", std::string("--data small --precision mixed_fp16 --json - ") + choice, folder);
    ASSERT_EQ(ran.code, 0) << ran.error;
    const std::vector<Json> results = events(parsed(ran.out), "result");
    ASSERT_EQ(results.size(), 1u);
    EXPECT_NE(std::string(choice).find(results[0].at("backend")), std::string::npos) << results[0];
    EXPECT_GE(results[0].at("test_accuracy"), 0.9);
  }
}

TEST_F(Mnist, HelpNamesEveryOption) {
  const Ran ran = run("mnist", "--help", folder);
  EXPECT_EQ(ran.code, 0);
  for (const char* option :
       {"--data", "--model", "--precision", "--backend", "--epochs", "--batch", "--optimizer",
        "--learning-rate", "--seed", "--threads", "--json", "--telemetry"})
    EXPECT_NE(ran.out.find(option), std::string::npos) << option;
}

TEST_F(Mnist, AWrongCommandLineExitsWith2) {
  expect_refused("--colour red", 2, {"--colour"});
  expect_refused("everything", 2, {"everything"});
  expect_refused("--precision fp12", 2, {"--precision", "fp12", "mixed_bf16"});
  expect_refused("--precision ''", 2, {"--precision"});
  expect_refused("--precision fp32,", 2, {"--precision"});
  expect_refused("--precision", 2, {"--precision"});
  expect_refused("--model transformer", 2, {"--model", "transformer", "mlp", "resnet"});
  expect_refused("--backend tpu", 2, {"--backend", "tpu", "eigen, onednn, reference or cuda"});
  expect_refused("--optimizer adagrad", 2, {"--optimizer", "adagrad", "adamw"});
  expect_refused("--threads 0", 2, {"--threads", "1 or more"});
  expect_refused("--threads many", 2, {"--threads", "many"});
  expect_refused("--epochs 0", 2, {"--epochs", "1 or more"});
  expect_refused("--epochs 1.5", 2, {"--epochs", "1.5"});
  expect_refused("--epochs 99999999999999999999", 2, {"--epochs"});
  expect_refused("--batch -3", 2, {"--batch", "1 or more"});
  expect_refused("--seed -1", 2, {"--seed", "0 or more"});
  for (const char* rate : {"0", "-1", "nan", "inf", "much"})
    expect_refused(std::string("--learning-rate ") + rate, 2, {"--learning-rate", rate});
  EXPECT_FALSE(std::filesystem::exists(folder / "lines.json"));
}

TEST_F(Mnist, WhatThisBuildOrMachineLacksExitsWith1) {
  expect_refused("--data small --precision tf32", 1, {"tf32", "choose"});
  expect_refused("--data small --precision fp32,tf32 --json lines.json", 1, {"tf32", "choose"});
#if !defined(HALFSTEP_ONEDNN)
  expect_refused("--data small --backend onednn", 1, {"onednn", "libdnnl-dev"});
#endif
  EXPECT_FALSE(std::filesystem::exists(folder / "lines.json")) << "a failed run left output";
}

TEST_F(Mnist, DataThatCannotBeUsedExitsWith1) {
  const std::string json = " --json lines.json";
  expect_refused("--data nowhere" + json, 1, {"nowhere", "train-images"});

  const auto damaged = [&](const std::string& name, const auto& damage) {
    write_mnist(folder.path() / name, 20);
    damage((folder.path() / name).string());
    return "--data " + name + json;
  };
  expect_refused(damaged("missing",
                         [](const std::string& in) {
                           std::filesystem::remove(in + "/t10k-labels-idx1-ubyte");
                         }),
                 1, {"missing", "t10k-labels"});
  expect_refused(damaged("truncated",
                         [](const std::string& in) {
                           std::filesystem::resize_file(in + "/train-images-idx3-ubyte", 5000);
                         }),
                 1, {"truncated/train-images"});
  expect_refused(damaged("no_idx",
                         [](const std::string& in) {
                           std::ofstream(in + "/train-images-idx3-ubyte")
                               << "This is no image, but long enough.";
                         }),
                 1, {"no_idx/train-images"});
  expect_refused(damaged("label",
                         [](const std::string& in) {
                           std::vector<std::uint8_t> labels(20, 3);
                           labels[5] = 12;
                           write_idx(in + "/train-labels-idx1-ubyte", {20}, labels);
                         }),
                 1, {"label/train-labels", "label 12", "index 5"});
  expect_refused(damaged("fewer",
                         [](const std::string& in) {
                           write_idx(in + "/train-labels-idx1-ubyte", {19},
                                     std::vector<std::uint8_t>(19, 3));
                         }),
                 1, {"fewer/train-labels", "19", "20"});
  expect_refused(damaged("size",
                         [](const std::string& in) {
                           write_idx(in + "/train-images-idx3-ubyte", {20, 20, 20},
                                     std::vector<std::uint8_t>(8000, 3));
                         }),
                 1, {"size/train-images", "[20, 20, 20]"});
  expect_refused(damaged("empty",
                         [](const std::string& in) {
                           write_idx(in + "/train-images-idx3-ubyte", {0, 28, 28}, {});
                           write_idx(in + "/train-labels-idx1-ubyte", {0}, {});
                         }),
                 1, {"empty/train-images"});
  EXPECT_FALSE(std::filesystem::exists(folder / "lines.json")) << "a failed run left output";
}

TEST_F(Mnist, AJsonFileThatCannotBeWrittenExitsWith1) {
  expect_refused("--data small --epochs 1 --precision fp32 --json nowhere/lines.json", 1,
                 {"nowhere/lines.json"});
  if (std::filesystem::exists("/dev/full"))
    expect_refused("--data small --epochs 1 --precision fp32 --json /dev/full", 1, {"/dev/full"});
}

TEST_F(Mnist, TrainingThatDivergesIsStoppedAndNamesAParameter) {
  const Ran ran = run("mnist",
                      "--data small --precision fp32,mixed_bf16 --optimizer sgd --learning-rate "
                      "1e30 --batch 4 --epochs 2 --json lines.json",
                      folder);
  EXPECT_EQ(ran.code, 1) << ran.out;
  EXPECT_EQ(lines(ran.error).size(), 1u) << ran.error;
  EXPECT_NE(ran.error.find("20 steps in a row"), std::string::npos) << ran.error;
  EXPECT_NE(ran.error.find("weight'"), std::string::npos) << ran.error;
  // Both precisions had their turn, and no line is half written.
  EXPECT_EQ(events(parsed(contents(folder / "lines.json")), "error").size(), 2u);
  EXPECT_NE(ran.out.find("stopped"), std::string::npos) << ran.out;
}

#if defined(HALFSTEP_ZLIB)
TEST_F(Mnist, LearnsFromTheRealImagesThatTheProjectCarries) {
  const Ran ran =
      run("mnist", "--precision fp32,mixed_fp16,mixed_bf16 --epochs 2 --json -", folder);
  ASSERT_EQ(ran.code, 0) << ran.error;
  const std::vector<Json> results = events(parsed(ran.out), "result");
  ASSERT_EQ(results.size(), 3u);
  const double fp32 = results[0].at("test_accuracy");
  EXPECT_GT(fp32, 0.90);
  // Half a percent of 10,000 images is 50.
  for (const Json& result : results) EXPECT_NEAR(result.at("test_accuracy"), fp32, 0.005) << result;
}
#endif

}  // namespace
}  // namespace halfstep::test
