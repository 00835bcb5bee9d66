#!/usr/bin/env bash
# npm @silentbot1/nat-api 0.4.9 (the port mapping of webtorrent 3), NAT-PMP (RFC 6886).
# Guess: a mapping is renewed before its lifetime ends, as its option `autoUpdate` (on by default)
# says, and who asks for a mapping learns what the gateway granted: it may grant another public port
# and a shorter lifetime (RFC 6886, 3.3).
# Seen: it is never renewed: the timer runs and sends nothing. The timer goes by the lifetime that
# was asked for, not by the one that was granted, and `map` answers true and no more, so the public
# port is not known. A mapping for two hours is over two hours after the start; behind a gateway
# that grants another port, what a client announces leads nowhere from the start.
# Output: asked for port 6881 for 7200 s, granted 7881 for 3600 s: map says true; its timer runs
# each 6600 s; requests after the timer ran 3 times: 1
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --prefix . --ignore-scripts --omit=optional --no-audit --no-fund --silent \
  @silentbot1/nat-api@0.4.9
cat > map.mjs <<'JS'
import fs from 'node:fs'
import NatAPI from '@silentbot1/nat-api'

// Ten thousand times faster, so that hours pass in seconds.
const timer = globalThis.setInterval
let delay = 0
let ran = 0
let onRan
const thrice = new Promise(resolve => { onRan = resolve })
globalThis.setInterval = (action, milliseconds) => {
  delay = milliseconds
  return timer(async () => {
    await action()
    if (++ran === 3) onRan()
  }, milliseconds / 10000)
}
const api = new NatAPI({ enableUPNP: false })
const granted = await api.map({ publicPort: 6881, privatePort: 6881, protocol: 'TCP' })
// The timer that it makes does not keep the program alive; this one does.
setTimeout(() => process.exit(1), 60000)
if (granted) await thrice
fs.writeFileSync('said', JSON.stringify({ granted, seconds: delay / 1000, ran }))
process.exit(0)
JS
cat > run.py <<'PY'
import json
import socket
import struct
import subprocess
import sys

# A network of its own, whose default gateway is here as well.
for words in ("link set lo up", "addr add 10.9.0.1/32 dev lo",
              "route add default via 10.9.0.2 dev lo onlink", "addr add 10.9.0.2/32 dev lo"):
    subprocess.run(["ip", *words.split()], check=True)
gateway = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
gateway.bind(("10.9.0.2", 5351))
gateway.settimeout(0.2)
client = subprocess.Popen(["node", "map.mjs"])
requests = []
try:
    while client.poll() is None:
        try:
            packet, source = gateway.recvfrom(1100)
        except TimeoutError:
            continue
        version, operation, _, private, public, seconds = struct.unpack(">BBHHHI", packet)
        assert (version, operation) == (0, 2), packet
        requests.append((private, public, seconds))
        gateway.sendto(struct.pack(">BBHIHHI", 0, 130, 0, 1, private, 7881, 3600), source)
finally:
    client.kill()
    client.wait()
assert client.returncode == 0 and requests[0] == (6881, 6881, 7200), (client.returncode, requests)
with open("said") as said:
    said = json.load(said)
assert said["ran"] == 3, said
print(f"asked for port 6881 for 7200 s, granted 7881 for 3600 s: map says "
      f"{json.dumps(said['granted'])}; its timer runs each {said['seconds']:g} s; "
      f"requests after the timer ran 3 times: {len(requests)}")
if len(requests) > 1 or said["granted"] is not True:
    sys.exit("changed: it renews, or tells what was granted")
assert said["seconds"] == 6600
PY
unshare --map-root-user --net python3 run.py
