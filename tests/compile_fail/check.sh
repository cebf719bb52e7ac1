#!/usr/bin/env bash
# One program that must not compile: bash check.sh FILE COMPILER [FLAG...]
#
# FILE says in a comment what the first error must hold, and may name flags of its own:
#   // EXPECT: a sentence, or part of it (several lines: each must be there)
#   // FLAGS: -ffast-math
# The control, with -DHALFSTEP_CONTROL and without the file's own flags, must compile: so the file is
# refused for its reason and not for a slip.
set -uo pipefail
export LC_ALL=C
file=$1
compiler=$2
shift 2
if ! command -v "$compiler" >/dev/null; then
  echo "skipped: there is no $compiler"
  exit 77
fi

mapfile -t expected < <(sed -n 's|^// EXPECT: ||p' "$file")
read -r -a flags <<<"$(sed -n 's|^// FLAGS: ||p' "$file" | tr '\n' ' ')"
if [ ${#expected[@]} -eq 0 ]; then
  echo "$file: no '// EXPECT: sentence' line"
  exit 1
fi

compile=("$compiler" -std=c++20 -fsyntax-only "$@")
if ! control=$("${compile[@]}" -DHALFSTEP_CONTROL "$file" 2>&1); then
  printf '%s: the control must compile, and does not:\n%s\n' "$file" "$control"
  exit 1
fi
if output=$("${compile[@]}" "${flags[@]}" "$file" 2>&1); then
  echo "$file: compiles, but must be refused with: ${expected[*]}"
  exit 1
fi
first=$(grep -m1 'error:' <<<"$output")
for sentence in "${expected[@]}"; do
  if [[ $first != *"$sentence"* ]]; then
    printf '%s: the first error must hold\n  %s\nbut is\n  %s\nof\n%s\n' "$file" "$sentence" "$first" \
      "$(head -c 4000 <<<"$output")"
    exit 1
  fi
done
echo "refused: $first"
