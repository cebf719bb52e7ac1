#include <halfstep/backend/reference.hpp>
#include <halfstep/io/model_file.hpp>
#include <halfstep/nn/linear.hpp>

#include <gtest/gtest.h>

#include "data/scratch_folder.hpp"

namespace {

using namespace halfstep;
using Bf16 = halfstep::Setup<MixedBf16, backend::Reference>;
using Float = halfstep::Setup<Fp32, backend::Reference>;

template <class S>
struct Model : nn::Module<S> {
  explicit Model(Index hidden = 3) : a(*this, "a", 2, hidden), b(*this, "b", hidden, 1) {}
  nn::Linear<S> a;
  nn::Linear<S> b;
};
template <class S>
std::vector<std::vector<float>> values(const Model<S>& model) {
  std::vector<std::vector<float>> all;
  for (std::size_t i = 0; i < model.store()->count(); ++i) all.push_back(model.store()->read(i));
  return all;
}
using halfstep::test::message_of;

struct ModelFile : halfstep::test::ScratchFolder {
  std::string path = ScratchFolder::path("model.safetensors");
};

TEST_F(ModelFile, KeepsMastersToTheBit) {
  Model<Bf16> from;
  from.initialise(4);
  io::save(from, path);
  Model<Bf16> to;
  io::load(to, path);
  EXPECT_EQ(values(from), values(to));
  EXPECT_EQ(io::SafetensorsFile(path).at("a.weight").dtype, "F32");
}

TEST_F(ModelFile, OfStoredWeightsHasHalfTheBytes) {
  Model<Bf16> from;
  from.initialise(4);
  io::save(from, path, {.masters = false, .metadata = {{"made by", "a test"}}});
  const io::SafetensorsFile file(path);
  EXPECT_EQ(file.at("a.weight").dtype, "BF16");
  EXPECT_EQ(file.at("a.weight").bytes.size(), 12u);
  EXPECT_EQ(*file.metadata("made by"), "a test");
  Model<Bf16> to;
  io::load(to, path);
  for (const auto& parameter : values(to))
    for (const float v : parameter) EXPECT_EQ(v, static_cast<float>(bfloat16(v)));
}

TEST_F(ModelFile, OfOnePrecisionLoadsIntoAnother) {
  Model<Bf16> from;
  from.initialise(4);
  io::save(from, path);
  Model<Float> to;
  io::load(to, path);
  EXPECT_EQ(values(from), values(to));
}

TEST_F(ModelFile, OfAnotherShapeIsRefusedAndNothingChanges) {
  Model<Float> from(5);
  io::save(from, path);
  Model<Float> to(3);
  to.initialise(9);
  const auto before = values(to);
  const std::string text = message_of<Error>([&] { io::load(to, path); });
  EXPECT_NE(text.find("'a.weight' has shape [5, 2]"), std::string::npos) << text;
  EXPECT_EQ(values(to), before);
}

TEST_F(ModelFile, MustHaveEveryParameterAndNothingElse) {
  struct More : Model<Float> {
    nn::Linear<Float> c{*this, "c", 1, 1};
  };
  Model<Float> small;
  More large;
  io::save(small, path);
  EXPECT_NE(message_of<Error>([&] { io::load(large, path); }).find("no tensor 'c.weight'"),
            std::string::npos);
  io::save(large, path);
  EXPECT_NE(message_of<Error>([&] { io::load(small, path); }).find("'c.bias'"), std::string::npos)
      << message_of<Error>([&] { io::load(small, path); });
}

}  // namespace
