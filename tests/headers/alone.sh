#!/usr/bin/env bash
# Compiles every header alone, warnings as errors: bash alone.sh COMPILER [FLAG...]
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top/include"

# -x c++-header would let `#pragma once in main file` warn, so each header is included from stdin.
compile_one() {
  header=$1
  shift
  if ! output=$(echo "#include <$header>" | "$@" -fsyntax-only -x c++ - 2>&1); then
    printf '%s does not compile alone:\n%s\n' "$header" "$(head -c 3000 <<<"$output")"
    return 1
  fi
}
export -f compile_one

# CUDA headers need nvcc; their own tests compile them.
find halfstep -name '*.hpp' ! -path '*/cuda/*' ! -name cuda.hpp | sort |
  xargs -P "${HALFSTEP_JOBS:-$(nproc)}" -I{} bash -c 'compile_one "$@"' _ {} "$@" -std=c++20 -I . -Wall -Wextra \
    -Wconversion -Werror || exit 1
echo "$(find halfstep -name '*.hpp' | wc -l) headers compile alone"
