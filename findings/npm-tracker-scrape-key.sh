#!/usr/bin/env bash
# npm bittorrent-tracker 11.2.3, HTTP scrape.
# Guess: the key of a torrent in `files` is the 20 bytes that were asked for (BEP 48).
# Seen: each byte from 0x80 on is written as two (0x80 becomes c2 80), so a real info hash is not
# found under its own bytes. The counts behind the key are right. UDP scrape and announce are not
# affected, and an info hash of ASCII letters does not show it.
# Output: key of 30 bytes for 20: 767778797a7b7c7d7e7fc280c281c282c283c284c285c286c287c288c289
set -euo pipefail
dir=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
cd "$dir"
npm install --prefix . --ignore-scripts --omit=optional --no-audit --no-fund --silent \
  bittorrent-tracker@11.2.3
cat > tracker.mjs <<'JS'
import fs from 'node:fs'
import Server from './node_modules/bittorrent-tracker/server.js'
const server = new Server({ http: true, udp: false, ws: false, stats: false })
server.listen(0, '127.0.0.1', () => {
  fs.writeFileSync('port.new', String(server.http.address().port))
  fs.renameSync('port.new', 'port')
})
JS
node tracker.mjs &
server=$!
for _ in $(seq 300); do
  [ -e port ] && break
  kill -0 "$server"
  sleep 0.1
done
python3 - "$(cat port)" <<'PY'
import sys
import urllib.parse
import urllib.request

base = f"http://127.0.0.1:{sys.argv[1]}"
info_hash = bytes(range(0x76, 0x8A))
quoted = urllib.parse.quote_from_bytes(info_hash)


def get(path):
    with urllib.request.urlopen(base + path, timeout=10) as answer:
        return answer.read()


get(f"/announce?info_hash={quoted}&peer_id=-XX0000-abcdefghijkl&port=5000"
    "&uploaded=0&downloaded=0&left=0&compact=1&event=started")
body = get(f"/scrape?info_hash={quoted}")
start = b"d5:filesd"
assert body.startswith(start), body
length, rest = body[len(start):].split(b":", 1)
key = rest[:int(length)]
print(f"key of {len(key)} bytes for {len(info_hash)}: {key.hex()}")
print(f"what follows: {rest[int(length):]!r}")
assert rest[int(length):].startswith(b"d8:completei1e"), "the counts are right"
if key == info_hash:
    sys.exit("changed: the key is the info hash")
assert key == info_hash.decode("latin-1").encode("utf-8"), "changed: another key"
PY
