#!/usr/bin/env bash
# `check` of content in the page cache against OpenSSL's SHA-1 on as many cores, in alternation; prints the medians.
# Usage: check.sh BROOKLET; in the environment GIB (4), ROUNDS (5), PIECES (piece lengths, "1M 16M"), DIR (a folder with that much
# room; without one /dev/shm).
set -euo pipefail
brooklet=$(realpath "$1")
gib=${GIB:-4} rounds=${ROUNDS:-5} cores=$(nproc)
work=$(mktemp -d "${DIR:-/dev/shm}/brooklet-check.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# Megabytes a second of one core (by the CPU seconds it took) or of several (by the clock).
openssl_rate() { # CORES
  local multi=()
  [ "$1" = 1 ] || multi=(-multi "$1")
  openssl speed "${multi[@]}" -seconds 2 -bytes 16384 sha1 2>/dev/null | awk '$1 == "sha1" { sub("k", "", $2); print $2 / 1000 }'
}
median() { sort -n | awk '{ all[NR] = $1 } END { print (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2 }'; }
column() { awk -v n="$1" '{ print $n }' rounds; }

echo "content of $gib GiB, $cores cores, $rounds rounds; $(openssl version | cut -d' ' -f1,2)"
mkdir content
head -c "${gib}G" /dev/urandom >content/file
bytes=$(stat -c %s content/file)
for length in ${PIECES:-1M 16M}; do
  "$brooklet" create content --piece-length "$length" -o torrent >/dev/null 2>&1
  for ((round = 0; round < rounds; round++)); do
    all=$(openssl_rate "$cores")
    one=$(openssl_rate 1)
    /usr/bin/time -o took -f '%e %U %S %M' "$brooklet" check torrent >/dev/null
    awk -v bytes="$bytes" -v all="$all" -v one="$one" '{
      wall = bytes / 1e6 / $1; cpu = bytes / 1e6 / ($2 + $3)
      print $1, $2 + $3, $4 / 1024, wall, wall / all, cpu / one
    }' took
  done >rounds
  awk -v length_="$length" -v wall="$(column 1 | median)" -v cpu="$(column 2 | median)" -v rss="$(column 3 | median)" \
    -v rate="$(column 4 | median)" -v all="$(column 5 | median)" -v one="$(column 6 | median)" 'BEGIN {
      printf "pieces of %-4s %6.2f s wall, %6.2f s CPU, %.1f MiB RSS, %.0f MB/s: ", length_, wall, cpu, rss, rate
      printf "%.2f of OpenSSL on all cores by the clock, %.2f by CPU seconds\n", all, one
    }'
  rm torrent
done
