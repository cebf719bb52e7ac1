#!/usr/bin/env bash
# Compiles the C++ of one page: bash check.sh PAGE SURROUNDINGS COMPILER [FLAG...]
#
# Every ```cpp block is the body of a function of its own, which may use what SURROUNDINGS declares; one
# after the line <!-- file scope --> stands outside of functions, and before SURROUNDINGS. Every sentence
# that the page quotes from a compile error must be one of the library's.
set -uo pipefail
page=$1
surroundings=$2
compiler=$3
shift 3
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# blocks SCOPE: the page's blocks of one scope, with their lines' numbers for the compiler.
blocks() {
  awk -v wanted="$1" -v page="$page" '
    /^<!-- file scope -->$/ { scope = "file"; next }
    /^```cpp$/ {
      inside = (scope == "file" ? "file" : "function") == wanted
      if (inside && wanted == "function") printf "void at_line_%d() {\n", NR
      if (inside) printf "#line %d \"%s\"\n", NR + 1, page
      scope = ""
      next
    }
    /^```/ { if (inside && wanted == "function") print "}"; inside = 0; next }
    inside' "$page"
}

count=$(grep -c '^```cpp$' "$page")
if [ "$count" -eq 0 ]; then
  echo "$page has no C++"
  exit 1
fi
{
  echo '#include <halfstep/halfstep.hpp>'
  blocks file
  printf '#include "%s"\n' "$surroundings"
  blocks function
} | "$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Wno-unused "$@" -x c++ - || exit 1

# A sentence is written over several literals in the source.
library=$(find "$top/include" -name '*.hpp' -print0 | xargs -0 cat | tr -d '\n' | sed 's/" *"//g')
missing=0
while IFS= read -r sentence; do
  if [[ $library != *"$sentence"* ]]; then
    echo "$page quotes a sentence that the library does not say: $sentence"
    missing=1
  fi
done < <(grep -o '`halfstep: [^`]*`' "$page" | tr -d '`')
[ $missing = 0 ] || exit 1
echo "$count pieces of code compile"
