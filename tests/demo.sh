#!/usr/bin/env bash
# A seeder and a download of the bundled torrent on loopback: the progress line, then the SHA-256 of what arrived beside that
# of the original. Usage: demo.sh BROOKLET
set -euo pipefail
cd "$(dirname "$0")/.."
brooklet=$1
torrent=testdata/torrents/torrents/wt_leaves.torrent
content=testdata/torrents/content
name='Leaves of Grass by Walt Whitman.epub'
quiet=(--no-trackers --no-dht --no-pex --no-lsd --bind 127.0.0.1 --port 0)

work=$(mktemp -d)
seeder=
cleanup() {
  [ -z "$seeder" ] || { kill "$seeder" && wait "$seeder"; } 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

mkfifo "$work/events"
exec 3<>"$work/events"
"$brooklet" seed "$torrent" --no-dht --dir "$content" --state "$work/seeder" --json -q "${quiet[@]}" >&3 &
seeder=$!
port=
while [ -z "$port" ] && IFS= read -r -t 5 -u 3 event; do
  case $event in *'"event":"start"'*) port=$(sed 's/.*"port":\([0-9]*\).*/\1/' <<<"$event") ;; esac
done
[ -n "$port" ] || { echo "the seeder did not start" >&2; exit 1; }

echo "A seeder listens on 127.0.0.1:$port. Downloading at 128 KiB/s, so that there is something to see:"
get=("$brooklet" get "$torrent" --no-dht --dir "$work/content" --state "$work/getter" --down 128K --peer "127.0.0.1:$port" "${quiet[@]}")
if [ -t 2 ] || ! command -v script >/dev/null; then
  "${get[@]}"
else
  # The progress line is for terminals: here each state of it gets a line of its own.
  script -qefc "${get[*]@Q}" /dev/null </dev/null | tr '\r' '\n' | sed -e 's/\x1b\[[?0-9]*[a-zA-Z]//g' -e '/^$/d'
fi

wanted=$(sha256sum <"$content/$name")
arrived=$(sha256sum <"$work/content/$name")
echo "original  ${wanted%% *}"
echo "arrived   ${arrived%% *}"
[ "$wanted" = "$arrived" ] && echo "The same, byte for byte."
