#!/usr/bin/env bash
# floors.sh finds what it is there to find: each broken header below must be named.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# refuses ROOM LINE SENTENCE: a header in ROOM with LINE is refused with SENTENCE.
refuses() {
  rm -rf "$folder/halfstep" && mkdir -p "$folder/halfstep/$1"
  printf '#pragma once\n%s\n' "$2" >"$folder/halfstep/$1/broken.hpp"
  if output=$(bash "$here/floors.sh" "$folder"); then
    echo "accepted in $1/: $2"
    failed=1
  elif [[ $output != *"$3"* ]]; then
    printf 'refused in %s/ for another reason: %s\n%s\n' "$1" "$2" "$output"
    failed=1
  fi
}
refuses core '#include <halfstep/numeric/float16.hpp>' 'lower floors only'
refuses nn '#include <halfstep/optim/adamw.hpp>' 'lower floors only'
refuses train '#include <halfstep/halfstep.hpp>' 'on top of all floors'
refuses tensor '#include <dnnl.h>' 'backend/ only'
refuses backend '#include <cuda_fp16.h>' 'backend/cuda/ only'
refuses autograd '#include <Eigen/Core>' 'backend/ and data/ only'
refuses ops '#define HALFSTEP_X 1' 'core/ only'
refuses ops '#ifdef __CUDACC__' 'core/ and backend/cuda/ only'
refuses ops '#include "view.hpp"' 'include as'
refuses garden '' 'on no floor'

mkdir -p "$folder/halfstep/nn" && rm -rf "$folder/halfstep/garden"
printf '#pragma once\n#include <halfstep/core/error.hpp>\n' >"$folder/halfstep/nn/right.hpp"
bash "$here/floors.sh" "$folder" >/dev/null || { echo "a header on its floor is refused"; failed=1; }
[ $failed = 0 ] && echo "each broken header is refused"
exit $failed
