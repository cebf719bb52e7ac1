#!/usr/bin/env bash
# Gathers what halfstep's tests and benchmarks need, for a machine without a network: there, a
# compiler, CMake and (for a GPU) the CUDA Toolkit are enough.
#
#   bash cmake/fetch-offline-dependencies.sh DIR
#
# Unpacks the distribution's packages of Eigen, CLI11, nlohmann-json, zlib and Google Benchmark, and
# GoogleTest's sources, under DIR/usr, about 20 MB; nothing is installed. benchmarks/gpu/run.sh
# --dependencies DIR uses them.
set -euo pipefail

if [ $# -ne 1 ] || [ "${1#-}" != "$1" ]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
for tool in apt-get apt-cache dpkg-deb; do
  if ! command -v "$tool" >/dev/null; then
    echo "fetch-offline-dependencies: $tool was not found; run this on Debian or Ubuntu" >&2
    exit 1
  fi
done

packages=(libeigen3-dev googletest libcli11-dev nlohmann-json3-dev zlib1g-dev libbenchmark-dev)
# Where the benchmark library is a shared one, it is a package of its own.
mapfile -t shared < <(apt-cache depends libbenchmark-dev 2>/dev/null |
  sed -n 's/^ *Depends: \(libbenchmark[0-9][^ ]*\)$/\1/p')
mkdir -p "$1"
target=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in "${packages[@]}" "${shared[@]}"; do
  if ! apt-get download -q "$package" >download.log 2>&1; then
    cat download.log >&2
    echo "fetch-offline-dependencies: $package could not be downloaded; run apt-get update first" >&2
    exit 1
  fi
done
for file in *.deb; do
  dpkg-deb --extract "$file" "$target"
done
# A link to the machine's own files would lead nowhere elsewhere; the static library serves instead.
find "$target" -lname '/*' -delete
# Licences stay, manuals and changelogs go.
find "$target/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$target/usr/share/man"
echo "fetch-offline-dependencies: $(du -sm "$target" | cut -f1) MB in $target"
