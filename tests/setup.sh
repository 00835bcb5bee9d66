#!/usr/bin/env bash
# Installs what the tests compare brooklet with: other clients, trackers, and tools to make networks. What is there already is
# left alone. Says what it could not install and goes on: the tests that need it are then skipped, each with a line that says
# so (with CI=true they fail).
set -u
cd "$(dirname "$0")/.." || exit 1

packages=()
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || packages+=("$2")
}
need transmission-cli transmission-cli
need transmission-daemon transmission-daemon
need aria2c aria2
need opentracker opentracker
need microsocks microsocks
need danted dante-server
need openssl openssl
need rtorrent rtorrent
need qbittorrent-nox qbittorrent-nox
need mktorrent mktorrent
need ip iproute2
need nft nftables
need mkfs.ext4 e2fsprogs
need bindfs bindfs
need mkfs.exfat exfatprogs
need mount.exfat-fuse exfat-fuse
need strace strace
need nginx nginx-light
need make make
need python3 python3
need node nodejs
need npm npm
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

node_folder=${CARGO_TARGET_DIR:-target}/node
for package in bittorrent-tracker@10 bittorrent-dht@11 webtorrent@3.0.21; do
  name=${package%@*} version=${package#*@}
  grep -qs "\"version\": \"$version[.\"]" "$node_folder/node_modules/$name/package.json" && continue
  echo "installing: $name (npm)"
  mkdir -p "$node_folder"
  npm install --prefix "$node_folder" --ignore-scripts --omit=optional --no-audit --no-fund --silent "$package" ||
    echo "could not install $name with npm" >&2
done
exit 0
