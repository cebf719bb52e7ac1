#pragma once

#include <sys/wait.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <data_paths.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace halfstep::test {

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) result.push_back(line);
  return result;
}

/// An empty folder, gone with this object.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "halfstep-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct Ran {
  int code = -1;  ///< the exit code; 128 + the signal where one ended the program
  std::string out;
  std::string error;
};

inline constexpr const char* not_built =
    "the program is not built: CLI11 or nlohmann_json was not found";
inline bool is_built(const std::string& program) {
  return std::filesystem::exists(program_folder() / program);
}

/// Runs one of the project's programs as a shell does, in the folder `where` that has the project's
/// examples/ in it. One thread, for tests run beside each other.
inline Ran run(const std::string& program, const std::string& arguments, const Folder& where) {
  const std::filesystem::path examples = where.path() / "examples";
  if (!std::filesystem::exists(examples))
    std::filesystem::create_directory_symlink(source_folder() / "examples", examples);
  const std::string out = where / "stdout";
  const std::string error = where / "stderr";
  const std::string command = "cd '" + where.path().string() + "' && OMP_NUM_THREADS=1 '" +
                              (program_folder() / program).string() + "' " + arguments + " >'" +
                              out + "' 2>'" + error + "' </dev/null";
  const int status = std::system(command.c_str());
  Ran ran;
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  ran.out = contents(out);
  ran.error = contents(error);
  return ran;
}

/// The run failed with this code and said why: one line on the error stream that begins with the
/// program's name and has all of `fragments` in it.
inline void expect_refusal(const std::string& program, const std::string& arguments, int code,
                           const std::vector<std::string>& fragments, const Folder& where) {
  SCOPED_TRACE(program + " " + arguments);
  const Ran ran = run(program, arguments, where);
  EXPECT_EQ(ran.code, code) << ran.out << ran.error;
  EXPECT_EQ(lines(ran.error).size(), 1u) << ran.error;
  EXPECT_EQ(ran.error.rfind(program + ": ", 0), 0u) << ran.error;
  for (const std::string& fragment : fragments)
    EXPECT_NE(ran.error.find(fragment), std::string::npos) << "'" << fragment << "': " << ran.error;
}

}  // namespace halfstep::test
