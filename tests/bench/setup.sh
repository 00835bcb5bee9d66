#!/usr/bin/env bash
# Installs what brooklet is measured beside. What is there already is left alone; what cannot be installed is left out and said.
# RQBIT=1 builds rqbit, too (from crates.io, which takes some minutes), into the target folder.
set -u
cd "$(dirname "$0")/../.." || exit 1

packages=()
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || packages+=("$2")
}
need transmission-cli transmission-cli
need transmission-daemon transmission-daemon
need aria2c aria2
need rtorrent rtorrent
need nginx nginx-light
need curl curl
need ip iproute2
/usr/bin/python3 -c 'import libtorrent' 2>/dev/null || packages+=(python3-libtorrent)

if [ ${#packages[@]} -gt 0 ]; then
  echo "installing: ${packages[*]}"
  become=()
  [ "$(id -u)" = 0 ] || become=(sudo -n)
  # RUNLEVEL=1 keeps the packages from starting their services.
  install=("${become[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get)
  "${install[@]}" -qq update >/dev/null || echo "apt-get update failed" >&2
  "${install[@]}" -qq install -y --no-install-recommends "${packages[@]}" >/dev/null ||
    echo "could not install all of: ${packages[*]}" >&2
fi

rqbit=${CARGO_TARGET_DIR:-target}/rqbit
if [ "${RQBIT:-}" = 1 ] && [ ! -x "$rqbit/bin/rqbit" ]; then
  echo "building: rqbit (cargo install)"
  # Without its web interface and what else a download does not need.
  CARGO_TARGET_DIR=$rqbit/build cargo install rqbit --version 9.1.0 --locked --quiet \
    --no-default-features --features rust-tls --root "$rqbit" ||
    echo "could not build rqbit" >&2
  rm -rf "$rqbit/build"
fi
exit 0
