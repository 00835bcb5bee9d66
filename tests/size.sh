#!/usr/bin/env bash
# Builds the program as it is released, without and with https, and fails if a file is larger than it may be.
set -eu
cd "$(dirname "$0")/.."

folder=${CARGO_TARGET_DIR:-target}/size
check() { # BYTES FEATURES...
  local most=$1 bytes
  shift
  cargo build --release --locked --quiet --target-dir "$folder" --features "$*"
  bytes=$(stat -c %s "$folder/release/brooklet")
  echo "${*:-no features}: $bytes bytes, at most $most"
  [ "$bytes" -le "$most" ]
}
# 2.3 MiB and 4.5 MiB.
check 2411724
check 4718592 https
