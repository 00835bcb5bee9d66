#!/usr/bin/env bash
# Installs what fuzzing needs and is not there: cargo-fuzz, into the target folder. A C++ compiler must be there.
set -eu
cd "$(dirname "$0")/../.."
tools=${CARGO_TARGET_DIR:-target}/tools

command -v c++ >/dev/null || {
  echo "make fuzz: there is no C++ compiler, which libFuzzer is built with (Debian: apt-get install g++)" >&2
  exit 1
}
if ! command -v cargo-fuzz >/dev/null && [ ! -x "$tools/bin/cargo-fuzz" ]; then
  echo "installing: cargo-fuzz (cargo install)"
  CARGO_TARGET_DIR=$tools/build cargo install cargo-fuzz --version 0.13.2 --locked --quiet --root "$tools"
  rm -rf "$tools/build"
fi
