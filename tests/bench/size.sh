#!/usr/bin/env bash
# Bytes of the release binary, by crate and by section, and what building it from nothing takes. Usage: size.sh
# Builds into a folder of its own, in the target folder, and removes it.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/size
trap 'rm -rf "$target"' EXIT
rm -rf "$target"

build() { CARGO_TARGET_DIR=$target cargo build --release --locked --quiet --bin brooklet "$@"; }
build_time() { /usr/bin/time -f "clean release build: %e s wall, %U s user, %S s system on $(nproc) cores" "$@"; }
cargo fetch --locked --quiet
export CARGO_TARGET_DIR=$target
build_time cargo build --release --locked --quiet --bin brooklet
echo "binary: $(stat -c %s "$target/release/brooklet") bytes of $((23 * (1 << 20) / 10)) allowed"

# The same code with its names.
build --config 'profile.release.strip="none"'
echo "code by crate, after inlining (generic code of std belongs to std, whoever uses it):"
nm -CS -t d --size-sort "$target/release/brooklet" | awk '
  $3 ~ /^[tTwW]$/ {
    size = $2 + 0
    $1 = $2 = $3 = ""
    # "<&mut a::B as c::D>::e" is of a.
    while (sub(/^ *(<|&|\*const |\*mut |mut |dyn |\[|\()/, "")) ;
    crate = match($0, /^ *[a-zA-Z_0-9]+::/) ? substr($0, RSTART, RLENGTH - 2) : "other"
    gsub(/ /, "", crate)
    # What std is made of.
    if (crate ~ /^(std|core|alloc|gimli|addr2line|miniz_oxide|rustc_demangle|object|hashbrown|compiler_builtins)$/) {
      if (crate !~ /^(std|core|alloc)$/) traces += size
      crate = "std"
    }
    sizes[crate] += size
  }
  END {
    for (crate in sizes) printf "%9d  %s%s\n", sizes[crate], crate, crate == "std" && traces ? " (" traces " of it to print backtraces)" : "" | "sort -rn"
  }'
echo "sections:"
size -A "$target/release/brooklet" | awk '$2 > 4096 && $1 ~ /^[.]/ && $1 !~ /debug/ { printf "%9d  %s\n", $2, $1 }' | sort -rn
