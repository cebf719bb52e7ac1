#include <halfstep/backend/describe.hpp>

#include <gtest/gtest.h>

namespace hs = halfstep;

TEST(Describe, NamesTheBackendTheInstructionSetAndTheThreads) {
  const int before = hs::threads();
  hs::set_threads(2);
  const std::string text = hs::describe();
  hs::set_threads(before);
  EXPECT_NE(text.find(hs::backend::Default::name), std::string::npos) << text;
  EXPECT_NE(text.find(hs::name(hs::instruction_set())), std::string::npos) << text;
  EXPECT_NE(text.find("threads: 2"), std::string::npos) << text;
}
