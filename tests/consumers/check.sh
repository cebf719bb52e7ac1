#!/usr/bin/env bash
# Builds and runs one project that uses halfstep from outside: bash check.sh CONSUMER BUILD_FOLDER
#
# CMake sets HALFSTEP_SOURCE, CONSUMER_CMAKE, CONSUMER_GENERATOR, CONSUMER_CXX and CONSUMER_COMPONENTS
# (the components found here, separated by semicolons). Exit code 77: skipped, with the reason.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
consumer=$1
work=$2/$consumer
prefix=$2/prefix
rm -rf "$work" && mkdir -p "$work"

skip() {
  echo "skipped: $*"
  exit 77
}
has() { [[ ";$CONSUMER_COMPONENTS;" == *";$1;"* ]]; }
configure() {  # folder, CMake arguments...
  local folder=$1
  shift
  "$CONSUMER_CMAKE" -S "$here/$folder" -B "$work/build" -G "$CONSUMER_GENERATOR" \
    -DCMAKE_CXX_COMPILER="${compiler:-$CONSUMER_CXX}" -DCMAKE_PREFIX_PATH="$prefix" \
    -DHALFSTEP_SOURCE="$HALFSTEP_SOURCE" "$@"
}
build_and_run() {
  "$CONSUMER_CMAKE" --build "$work/build"
  "$work/build/consumer"
}
eigen=()
if has eigen; then eigen=(-isystem "$EIGEN_INCLUDE"); fi
# Runs the README's own line where its folders are: include/ and the user's program.cpp.
bare_line() {
  local line
  line=$(grep -m1 '^g++ .* program\.cpp ' "$HALFSTEP_SOURCE/README.md")
  [ -d /usr/include/eigen3 ] || skip "Eigen is not in /usr/include/eigen3"
  command -v g++ >/dev/null || skip "there is no g++"
  ln -s "$HALFSTEP_SOURCE/include" "$HALFSTEP_SOURCE/examples" "$work"
  cd "$work"
  echo "$line"
  bash -c "$line"
}
# Says whether a command was refused with a sentence.
refused_with() {  # sentence, command...
  local sentence=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf 'accepted, but must be refused with "%s":\n%s\n' "$sentence" "$output"
    exit 1
  fi
  # CMake wraps its messages, so blanks do not count.
  if [[ $(tr -d ' \n' <<<"$output") != *$(tr -d ' \n' <<<"$sentence")* ]]; then
    printf 'refused, but not with "%s":\n%s\n' "$sentence" "$output"
    exit 1
  fi
  echo "refused: $sentence"
}

case $consumer in
  install)
    # Installed in one place and moved to another: nothing may remember where it was.
    "$CONSUMER_CMAKE" --install "$2/../" --prefix "$work/first"
    rm -rf "$prefix"
    mv "$work/first" "$prefix"
    if grep -rl "$HALFSTEP_SOURCE" "$prefix"; then
      echo "an installed file names the source folder"
      exit 1
    fi
    ;;
  find_package)
    configure installed -DCONSUMER_COMPONENTS="$CONSUMER_COMPONENTS"
    build_and_run
    ;;
  find_package_plain)
    has eigen || skip "Eigen was not found"
    configure installed
    build_and_run
    ;;
  add_subdirectory)
    configure add_subdirectory -DCONSUMER_COMPONENTS="$CONSUMER_COMPONENTS"
    build_and_run
    ;;
  fetch_content)
    configure add_subdirectory -DCONSUMER_COMPONENTS="$CONSUMER_COMPONENTS" -DCONSUMER_FETCHES=ON
    build_and_run
    ;;
  first_program)
    # The README's first code block is examples/first_program.cpp, and its line compiles it.
    awk '/^```cpp/ { inside = 1; next } /^```/ && inside { exit } inside' "$HALFSTEP_SOURCE/README.md" \
      >"$work/program.cpp"
    diff -u "$HALFSTEP_SOURCE/examples/first_program.cpp" "$work/program.cpp"
    bare_line
    ./program | tee output
    accuracy=$(sed -n 's/.*test accuracy \([0-9.]*\).*/\1/p' output)
    awk -v accuracy="${accuracy:-0}" 'BEGIN { exit !(accuracy > 0.85) }'
    ;;
  bare)
    cp "$here/program.cpp" "$work/program.cpp"
    bare_line
    ./program
    ;;
  missing_component)
    refused_with 'sudo apt-get install libdnnl-dev' configure installed -DCONSUMER_COMPONENTS=onednn \
      -DCMAKE_DISABLE_FIND_PACKAGE_OneDNN=ON
    rm -rf "$work/build"
    refused_with 'sudo apt-get install zlib1g-dev' configure installed -DCONSUMER_COMPONENTS=zlib \
      -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON
    rm -rf "$work/build"
    refused_with 'sudo apt-get install libeigen3-dev' configure installed -DCONSUMER_COMPONENTS=eigen \
      -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON
    rm -rf "$work/build"
    refused_with 'sudo apt-get install' configure installed -DCONSUMER_COMPONENTS=openmp \
      -DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON
    rm -rf "$work/build"
    refused_with 'component tpu: there is no such component' configure installed \
      -DCONSUMER_COMPONENTS=tpu
    ;;
  warnings)
    # -I, so that the library's own warnings count.
    for compiler in "$CONSUMER_CXX" clang++; do
      command -v "$compiler" >/dev/null || continue
      "$compiler" -std=c++20 -Wall -Wextra -Wconversion -Werror -I "$HALFSTEP_SOURCE/include" \
        "${eigen[@]}" -c "$here/program.cpp" -o "$work/program.o"
      echo "$compiler: no warnings"
    done
    ;;
  clang)
    compiler=$(command -v clang++) || skip "there is no clang++"
    # Clang brings no OpenMP runtime of its own on Debian, so the components that need one may lack.
    configure installed
    build_and_run
    ;;
  instruction_sets)
    [[ $(uname -m) == x86_64 ]] || skip "this processor is not an x86-64"
    configure instruction_sets -DCONSUMER_COMPONENTS="$CONSUMER_COMPONENTS"
    build_and_run
    ;;
  backends)
    has onednn || skip "oneDNN was not found"
    compile() { "$CONSUMER_CXX" -std=c++20 -I "$HALFSTEP_SOURCE/include" "${eigen[@]}" "$@"; }
    compile -c "$here/backends/main.cpp" -o "$work/eigen.o"
    compile -c "$here/backends/other.cpp" -o "$work/other_eigen.o"
    compile -DHALFSTEP_ONEDNN -c "$here/backends/other.cpp" -o "$work/other_onednn.o"
    compile "$work/eigen.o" "$work/other_eigen.o" -o "$work/alike"
    "$work/alike"
    refused_with 'undefined reference' "$CONSUMER_CXX" "$work/eigen.o" "$work/other_onednn.o" -o "$work/mixed"
    ;;
  without_zlib)
    "$CONSUMER_CXX" -std=c++20 -I "$HALFSTEP_SOURCE/include" "${eigen[@]}" "$here/without_zlib.cpp" \
      -o "$work/program" -pthread
    "$work/program" "$HALFSTEP_SOURCE/examples/data/mnist"
    ;;
  nvcc)
    command -v nvcc >/dev/null || skip "there is no nvcc"
    program=$HALFSTEP_SOURCE/examples/first_program.cpp
    [ -f "$program" ] || program=$here/program.cpp
    cp "$program" "$work/program.cu"
    ln -s "$HALFSTEP_SOURCE/examples" "$work"
    zlib=()
    if has zlib; then zlib=(-DHALFSTEP_ZLIB -lz); fi
    cd "$work"
    nvcc -std=c++20 -O2 "${zlib[@]}" --expt-relaxed-constexpr -diag-suppress 20012,20014,20208 \
      -I "$HALFSTEP_SOURCE/include" "${eigen[@]}" program.cu -o program
    ./program
    ;;
  cuda)
    command -v nvcc >/dev/null || skip "there is no nvcc"
    ln -s "$HALFSTEP_SOURCE/examples" "$work"
    has zlib || skip "MNIST is compressed, and there is no zlib"
    cd "$work"
    nvcc -x cu -std=c++20 -O2 -DHALFSTEP_ZLIB --expt-relaxed-constexpr \
      -diag-suppress 20012,20014,20208 -gencode arch=compute_80,code=sm_80 \
      -gencode arch=compute_90,code=[sm_90,compute_90] -I "$HALFSTEP_SOURCE/include" \
      "${eigen[@]}" "$here/cuda_program.cpp" -o program -lcublasLt -lz
    nvcc -x cu -std=c++20 -O1 --expt-relaxed-constexpr -diag-suppress 20012,20014,20208 \
      -arch=sm_75 -I "$HALFSTEP_SOURCE/include" "${eigen[@]}" "$here/cuda_layers.cpp" \
      -o layers -lcublasLt
    if nvidia-smi -L 2>/dev/null | grep -q GPU; then
      ./program
    elif output=$(./program 2>&1); then
      echo "the program found a GPU that nvidia-smi does not know: $output"
      exit 1
    else
      grep -q 'choose a CPU backend' <<<"$output" || { echo "$output"; exit 1; }
    fi
    ;;
  cudnn)
    command -v nvcc >/dev/null || skip "there is no nvcc"
    [ -n "${CUDNN_LIBRARY:-}" ] || skip "cuDNN was not found"
    nvcc -x cu -std=c++20 -O1 --expt-relaxed-constexpr -diag-suppress 20012,20014,20208 \
      -arch=sm_90 -DHALFSTEP_CUDNN -I "$HALFSTEP_SOURCE/include" "${eigen[@]}" \
      -isystem "$CUDNN_INCLUDE" "$here/cuda_layers.cpp" -o "$work/layers" -lcublasLt \
      -L "$(dirname "$CUDNN_LIBRARY")" -lcudnn
    ;;
  cuda_architectures)
    command -v nvcc >/dev/null || skip "there is no nvcc"
    compile() {  # policy, flags...
      local policy=$1
      shift
      nvcc -x cu -std=c++20 -O0 --expt-relaxed-constexpr -diag-suppress 20012,20014,20208 \
        -DPOLICY="$policy" "$@" -I "$HALFSTEP_SOURCE/include" "${eigen[@]}" \
        -c "$here/cuda_architectures.cpp" -o "$work/program.o"
    }
    refused_with 'GPUs multiply BF16 from compute capability 8.0 on' compile MixedBf16 -arch=sm_75
    refused_with 'GPUs multiply BF16 from compute capability 8.0 on' compile PureBf16 -arch=sm_75
    refused_with 'GPUs multiply TF32 from compute capability 8.0 on' compile Tf32 -arch=sm_75
    compile MixedFp16 -arch=sm_75
    # One of several is enough: an older GPU is refused when the program runs on it.
    compile MixedBf16 -gencode arch=compute_75,code=sm_75 -gencode arch=compute_80,code=sm_80
    ;;
  *)
    echo "there is no consumer $consumer"
    exit 2
    ;;
esac
