#!/usr/bin/env bash
# npm bittorrent-tracker 11.2.3, UDP announce over IPv6.
# Guess: what comes after the counts is 18 bytes a peer, since the packet came over IPv6 (BEP 15).
# Seen: only IPv4 peers are written, 6 bytes each; IPv6 peers are counted and never named. So two IPv6
# peers that know this tracker over UDP only never meet, and three IPv4 peers read as one IPv6
# address that nobody has.
# Output: IPv6 seeds 2, counted 2, bytes of peers 0; with 3 IPv4 seeds: counted 5, bytes of peers 18
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
const server = new Server({ http: false, udp: true, ws: false, stats: false })
server.listen(0, { udp: '127.0.0.1', udp6: '::1' }, () => {
  fs.writeFileSync('port.new', `${server.udp4.address().port} ${server.udp6.address().port}`)
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
python3 - $(cat port) <<'PY'
import socket
import struct
import sys

v4 = (socket.AF_INET, ("127.0.0.1", int(sys.argv[1])))
v6 = (socket.AF_INET6, ("::1", int(sys.argv[2])))


def announce(to, number, left):
    family, address = to
    with socket.socket(family, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(struct.pack(">QII", 0x41727101980, 0, 7), address)
        _, _, connection = struct.unpack(">IIQ", udp.recv(64))
        peer_id = f"-XX0000-abcdefghij{number:02}".encode()
        udp.sendto(struct.pack(">QII20s20sQQQIIIiH", connection, 1, 8, b"a" * 20, peer_id,
                               0, left, 0, 2, 0, 0, -1, 5000 + number), address)
        answer = udp.recv(4096)
    _, _, _, leechers, seeders = struct.unpack(">IIIII", answer[:20])
    return seeders, len(answer) - 20


announce(v6, 1, 0)
announce(v6, 2, 0)
seeders, size = announce(v6, 9, 10)
for number in (3, 4, 5):
    announce(v4, number, 0)
more, size_more = announce(v6, 9, 10)
print(f"IPv6 seeds 2, counted {seeders}, bytes of peers {size}; "
      f"with 3 IPv4 seeds: counted {more}, bytes of peers {size_more}")
if size >= 36:
    sys.exit("changed: IPv6 peers are named")
assert (seeders, size, more) == (2, 0, 5) and size_more % 6 == 0 and size_more >= 18
PY
