#!/usr/bin/env bash
# Runs all tests on a build that counts which lines are run, the processes that they start included, and prints the count. Installs
# what that needs and is not there: cargo-llvm-cov, and the LLVM tools of the version that rustc is made with.
#   coverage.sh [OPTIONS OF CARGO TEST]
set -eu
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
tools=$target/tools

if ! command -v cargo-llvm-cov >/dev/null && [ ! -x "$tools/bin/cargo-llvm-cov" ]; then
  echo "installing: cargo-llvm-cov (cargo install)"
  CARGO_TARGET_DIR=$tools/build cargo install cargo-llvm-cov --version 0.9.1 --locked --quiet --root "$tools"
  rm -rf "$tools/build"
fi
PATH=$tools/bin:$PATH

# rustup has them as a component; else there are Debian's.
version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
if ! ls "$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-cov >/dev/null 2>&1; then
  if ! command -v "llvm-cov-$version" >/dev/null; then
    echo "installing: llvm-$version"
    become=()
    [ "$(id -u)" = 0 ] || become=(sudo -n)
    "${become[@]}" apt-get -qq update >/dev/null
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "llvm-$version" >/dev/null
  fi
  export LLVM_COV=llvm-cov-$version LLVM_PROFDATA=llvm-profdata-$version
fi

# A folder of its own: all is built anew for this, and that must not be in the way of other builds.
export CARGO_TARGET_DIR=$target/coverage
tests/setup.sh
eval "$(cargo llvm-cov show-env --sh --no-cfg-coverage)"
cargo llvm-cov clean --profraw-only
tested=0
cargo test --locked --no-fail-fast "$@" || tested=$?
cargo llvm-cov report --lcov --output-path "$target/coverage.lcov"
tests/coverage.py "$target/coverage.lcov"
exit "$tested"
