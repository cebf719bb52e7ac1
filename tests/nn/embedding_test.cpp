#include <halfstep/backend/reference.hpp>
#include <halfstep/nn/embedding.hpp>

#include <gtest/gtest.h>

#include "support/samples.hpp"

namespace {

using namespace halfstep;
using Half = halfstep::Setup<MixedFp16, backend::Reference>;

struct Holder : nn::Module<Half> {
  nn::Embedding<Half> token{*this, "token", 5, 3};
};

TEST(Embedding, TakesTheRowOfEachToken) {
  Holder model;
  std::vector<float> rows(15);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i);
  model.store()->write(0, rows);
  const auto y = model.token(test::integers({4, 0}, {1, 2}));
  EXPECT_EQ(y.shape(), (Shape{1, 2, 3}));
  EXPECT_EQ(test::to_doubles(y.value()), (std::vector<double>{12, 13, 14, 0, 1, 2}));
}

TEST(Embedding, ATokenOutsideTheVocabularyIsNamedWithTheLayer) {
  const Holder model;
  for (const int token : {5, -1}) {
    try {
      model.token(test::integers({1, token}));
      FAIL() << token;
    } catch (const DataError& error) {
      const std::string text = error.what();
      for (const std::string& part :
           {std::string("'token'"), std::to_string(token), std::string("vocabulary of 5")})
        EXPECT_NE(text.find(part), std::string::npos) << text;
    }
  }
}

TEST(Embedding, RefusesExtentsBelowOne) {
  const Holder model;
  EXPECT_THROW(nn::Embedding<Half>(model, "empty", 0, 3), ShapeError);
  EXPECT_THROW(nn::Embedding<Half>(model, "flat", 3, 0), ShapeError);
}

}  // namespace
