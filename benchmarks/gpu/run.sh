#!/usr/bin/env bash
# Tests and measures halfstep on a machine with an NVIDIA GPU; needs no network.
#
#   bash benchmarks/gpu/run.sh [--dependencies DIR] [--out DIR] [--minutes 9] [--build-only]
#
#   --dependencies DIR  what cmake/fetch-offline-dependencies.sh gathered (default: what is installed)
#   --out DIR           where summary.json, summary.txt and log.txt go (default: build/gpu-results)
#   --minutes M         for everything, the build included; each part has its share. With 20 and more
#                       PyTorch is compared in all precisions
#   --build-only        configures and builds, also where no GPU is, and stops
#
# A part that fails, or runs out of its time, is reported, and the others go on. Exit code: 0 all
# went well, 1 something did not, or there is no GPU, 2 the command line is wrong.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage() {
  sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}
dependencies=
out=build/gpu-results
minutes=9
build_only=
while [ $# -gt 0 ]; do
  case $1 in
    --build-only) build_only=1 && shift ;;
    --dependencies | --out | --minutes)
      [ $# -ge 2 ] || usage
      declare "${1#--}=$2"
      shift 2
      ;;
    *) usage ;;
  esac
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || usage
if [ -n "$dependencies" ]; then
  if [ ! -d "$dependencies/usr" ]; then
    echo "run.sh: $dependencies holds nothing; fill it with cmake/fetch-offline-dependencies.sh" >&2
    exit 1
  fi
  dependencies=$(cd "$dependencies" && pwd)
fi

# CUDA's programs may stand where their installers put them, outside the path.
PATH=$PATH:/usr/local/cuda/bin:/usr/local/nvidia/bin
gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1)
if [ -z "$gpu" ] && [ -z "$build_only" ]; then
  echo "run.sh: no NVIDIA GPU was found (nvidia-smi names none); --build-only builds without one" >&2
  exit 1
fi

mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
log=$out/log.txt
results=$out/results.jsonl # lines of the benchmarks, until the summary holds them
parts=$out/parts.jsonl
: >"$log" >"$results" >"$parts"
rm -f "$out"/pytorch-* "$out"/tables.txt
build=build/gpu
jobs=${HALFSTEP_JOBS:-$(nproc)}
end=$((minutes * 60))
failed=0

# A string in JSON; control characters become blanks.
json_string() { printf '"%s"' "$(printf '%s' "$1" | tr '\000-\037' ' ' | sed 's/[\\"]/\\&/g')"; }

# note NAME STATUS SECONDS: a line for the summary and for who looks on.
note() {
  printf '{"part": %s, "status": %s, "seconds": %d}\n' "$(json_string "$1")" "$(json_string "$2")" \
    "$3" >>"$parts"
  printf '%4d s  %-10s %s\n' "$SECONDS" "$2" "$1"
  case $2 in passed | skipped*) ;; *) failed=1 ;; esac
}

# part NAME SECONDS COMMAND...: runs it for at most so long, and within what is left of the minutes.
# Its output goes to the log.
part() {
  local name=$1 limit=$2 left=$((end - SECONDS)) start=$SECONDS code=0
  shift 2
  [ "$left" -lt "$limit" ] && limit=$left
  if [ "$limit" -lt 5 ]; then
    note "$name" "skipped: out of time" 0
    return 1
  fi
  printf '\n==== %s: %s\n' "$name" "$*" >>"$log"
  timeout -k 5 "$limit" "$@" </dev/null >>"$log" 2>&1 || code=$?
  case $code in
    0) note "$name" passed $((SECONDS - start)) ;;
    124 | 137) note "$name" "timed out" $((SECONDS - start)) ;;
    *) note "$name" failed $((SECONDS - start)) ;;
  esac
  return "$code"
}
share() { echo $((end * $1 / 100)); } # of all the time, in percent

# ---- build

prefix=
if [ -n "$dependencies" ]; then
  prefix="$PWD/$build/googletest;$dependencies/usr"
  part "GoogleTest" "$(share 10)" bash -c "
    cmake -S '$dependencies/usr/src/googletest' -B $build/googletest-build \
      -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX='$PWD/$build/googletest' -DBUILD_GMOCK=OFF &&
    cmake --build $build/googletest-build --parallel $jobs --target install"
fi
# Python's packages bring libraries without the link that a linker looks for, and PyTorch brings cuDNN
# along: what CMake would not find is named to it.
toolkit=$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")
wheels=$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null)
library() {
  ls -U {"$toolkit",/usr}/{lib,lib64,"lib/$(uname -m)-linux-gnu"}/"lib$1.so" \
    {"$toolkit","${wheels:-/none}"/*}/{lib,lib64}/"lib$1.so".* 2>/dev/null | head -n 1
}
libraries=()
cublas=$(library cublasLt)
[ -z "$cublas" ] || libraries+=(-DCUDA_cublasLt_LIBRARY="$cublas")
cudnn=$(library cudnn)
headers=${cudnn%/*/*}/include
[ ! -f "$headers/cudnn_version.h" ] ||
  libraries+=(-DCUDNN_LIBRARY="$cudnn" -DCUDNN_INCLUDE_DIR="$headers")
generator=()
if [ ! -f $build/CMakeCache.txt ] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
part "configure" "$(share 10)" cmake -S . -B $build "${generator[@]}" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$prefix" "${libraries[@]}" -DHALFSTEP_BUILD_EXAMPLES=OFF
if ! grep -q '^-- halfstep: backend cuda' "$log"; then
  grep -E '^-- halfstep: without|CMake Error' "$log" >&2
  echo "run.sh: backend cuda cannot be built here; $log says why" >&2
  exit 1
fi
keep_going=-k
if [ -f $build/build.ninja ]; then keep_going=-k0; fi
build_share=50
[ -z "$build_only" ] || build_share=90
part "build" "$(share $build_share)" cmake --build $build --parallel "$jobs" \
  --target gpu_benchmarks tests_cuda -- "$keep_going"
if [ -n "$build_only" ]; then
  rm -f "$results" "$parts"
  [ $failed = 0 ] || tail -n 40 "$log" >&2
  exit $failed
fi

# ---- test

part "tests" "$(share 15)" ctest --test-dir $build -L '^cuda$' --parallel 4 --timeout 60 \
  --output-on-failure --no-tests=error

# ---- measure

bin=$build/bin
tables=$out/tables.txt
# measured NAME SECONDS PROGRAM...: a part that writes JSON lines to a file and a table to its output.
measured() {
  local name=$1 limit=$2
  shift 2
  part "$name" "$limit" bash -c 'set -o pipefail; "${@:2}" --json "$0" | tee -a "$1"' \
    "$out/lines" "$tables" "$@"
  cat "$out/lines" >>"$results" 2>/dev/null
  echo >>"$tables"
  rm -f "$out/lines"
}
# step MODEL PRECISION SECONDS: a training step; the peak is an H200's in BF16 and FP16.
step() {
  local line
  part "step of $1 in $2" 60 bash -c '"$@" >"$0"' "$out/lines" "$bin/training_step" \
    --backend cuda --model "$1" --precision "$2" --seconds "$3" --peak-tflops 989 --json
  line=$(grep '^{.*}$' "$out/lines" 2>/dev/null)
  rm -f "$out/lines"
  [ -n "$line" ] || return
  printf '%s\n' "$line" | tee -a "$log" >>"$results"
  figure() { sed -n "s/^.*\"$1\":\([^,}]*\).*$/\1/p" <<<"$line"; }
  printf '%-9s %-11s %9.3f ms %9.3f ms products %9.3f ms limit %8.1f TFLOP/s\n' "$1" "$2" \
    "$(figure median_ms)" "$(figure gemm_ms)" "$(figure limit_ms)" "$(figure model_tflops)" >>"$tables"
}
step gpt2 mixed_bf16 8
for precision in mixed_bf16 mixed_fp16 fp32 tf32; do
  for model in mlp mlp_wide cnn; do step $model $precision 1; done
done
step gpt mixed_bf16 1
echo >>"$tables"
measured "products" 45 "$bin/gpu_products" --seconds 0.2
measured "optimizer" 60 "$bin/gpu_optimizer" --seconds 0.5
measured "deepbench" 60 "$bin/gpu_deepbench"

# ---- look for what a test cannot see

sanitized=$build/tests/backend_cuda_kernels_test
if ! command -v compute-sanitizer >/dev/null; then
  note "compute-sanitizer" "skipped: the tool is not there" 0
elif [ ! -x $sanitized ]; then
  note "compute-sanitizer" "skipped: there is no $sanitized" 0
else
  for tool in memcheck racecheck initcheck synccheck; do
    part "$tool" "$(share 5)" compute-sanitizer --tool $tool --error-exitcode 9 $sanitized \
      --gtest_brief=1
  done
fi

# ---- compare

python=$(command -v python3 || true)
if [ -z "$python" ] || ! timeout 60 "$python" -c 'import torch; assert torch.cuda.is_available()' \
  >/dev/null 2>&1; then
  note "PyTorch" "skipped: no python3 that has PyTorch with CUDA" 0
else
  # Compilation takes most of it, so a first pass looks at BF16 alone.
  compared=(--precisions mixed_bf16 --modes bf16_autocast --rounds 2 --seconds 0.5)
  [ "$minutes" -lt 20 ] || compared=(--rounds 3 --seconds 1)
  for models in products mlp mlp_wide gpt2 cnn; do
    part "PyTorch beside $models" $((end - SECONDS - 5)) bash -c 'set -o pipefail; "$@" | tee "$0"' \
      "$out/pytorch-$models.txt" "$python" benchmarks/compare_pytorch.py --device cuda \
      --models $models "${compared[@]}" --program $bin/training_step \
      --json "$out/pytorch-$models.json"
  done
fi

# ---- sum up

machine="$(uname -sm), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
compiler=$(nvcc --version | sed -n 's/^.*release \([^,]*\),.*$/\1/p')
joined() { paste -sd, "$1" | sed 's/},{/},\n  {/g'; }
{
  printf '{"gpu": %s,\n "machine": %s,\n "cuda": %s,\n "minutes": %d,\n "seconds": %d,\n' \
    "$(json_string "$gpu")" "$(json_string "$machine")" "$(json_string "$compiler")" "$minutes" \
    "$SECONDS"
  printf ' "parts": [\n  %s],\n' "$(joined "$parts")"
  printf ' "results": [\n  %s],\n' "$(joined "$results")"
  separator=
  printf ' "pytorch": ['
  for file in "$out"/pytorch-*.json; do
    [ -s "$file" ] || continue
    printf '%s\n%s' "$separator" "$(cat "$file")"
    separator=,
  done
  printf ']}\n'
} >"$out/summary.json"
{
  printf '%s\n%s\nCUDA %s, %d s\n\n' "$gpu" "$machine" "$compiler" "$SECONDS"
  sed 's/^{"part": "\(.*\)", "status": "\(.*\)", "seconds": \(.*\)}$/\3 s\t\2\t\1/' "$parts"
  printf '\n'
  cat "$tables" "$out"/pytorch-*.txt 2>/dev/null
} >"$out/summary.txt"
rm -f "$results" "$parts" "$tables" "$out"/pytorch-*
cat "$out/summary.txt"
exit $failed
