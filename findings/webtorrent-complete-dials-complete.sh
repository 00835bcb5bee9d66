#!/usr/bin/env bash
# npm webtorrent 3.0.21 and libtorrent 2.1.1 (PyPI), both complete.
# Guess: two seeds have nothing for each other. libtorrent closes such a connection, and a client that
# has everything dials that peer no more, or more and more seldom.
# Seen: webtorrent dials it again about a second after each close, without end: two seeds that know
# each other go through a handshake a second for as long as both run.
# Output: connections in 15 seconds, both complete: 15
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
npm install --prefix . --ignore-scripts --omit=optional --no-audit --no-fund --silent \
  webtorrent@3.0.21 utp-native@2.5.3
# WebRTC wants a native part that is built elsewhere; plain torrents do without it.
cat > stub.mjs <<'JS'
export class RTCPeerConnection {}
export class RTCSessionDescription {}
export class RTCIceCandidate {}
export default { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate }
JS
cat > hooks.mjs <<'JS'
const stub = new URL('./stub.mjs', import.meta.url).href
export async function resolve (name, context, next) {
  return name === 'webrtc-polyfill' ? { url: stub, shortCircuit: true } : next(name, context)
}
JS
cat > run.mjs <<'JS'
import { register } from 'node:module'
register('./hooks.mjs', import.meta.url)
const { default: WebTorrent } = await import('webtorrent')
const client = new WebTorrent({
  dht: false, lsd: false, tracker: false, utp: false, utPex: false, natUpnp: false, natPmp: false
})
const added = client.add('data.torrent', { path: process.cwd() })
// What is not whole by then will not be.
setTimeout(() => process.exit(1), 60000)
added.on('done', () => {
  console.log('whole')
  added.addPeer(process.argv[2])
})
JS
venv/bin/python -W ignore - <<'PY'
import os
import subprocess
import sys
import time

import libtorrent as lt

with open("data", "wb") as out:
    out.write(os.urandom(65536))
files = lt.file_storage()
lt.add_files(files, "data")
made = lt.create_torrent(files, 16384, lt.create_torrent.v1_only)
lt.set_piece_hashes(made, ".")
with open("data.torrent", "wb") as out:
    out.write(lt.bencode(made.generate()))
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
                      "enable_upnp": False, "enable_natpmp": False,
                      "alert_mask": lt.alert.category_t.all_categories})
seed = lt.add_torrent_params()
seed.ti, seed.save_path = lt.torrent_info("data.torrent"), "."
handle = session.add_torrent(seed)
until = time.monotonic() + 30
while not (handle.status().is_seeding and session.listen_port()):
    assert time.monotonic() < until, "it does not seed"
    time.sleep(0.05)
session.pop_alerts()
other = subprocess.Popen(["node", "run.mjs", f"127.0.0.1:{session.listen_port()}"],
                         stdout=subprocess.PIPE, text=True)
try:
    assert other.stdout.readline() == "whole\n", "webtorrent does not find its file"
    count, until = 0, time.monotonic() + 15
    while time.monotonic() < until:
        session.wait_for_alert(500)
        count += sum(isinstance(it, lt.incoming_connection_alert) for it in session.pop_alerts())
finally:
    other.kill()
    other.wait()
print(f"connections in 15 seconds, both complete: {count}")
assert count > 0, "they did not meet"
if count <= 5:
    sys.exit("changed: it dials a peer seldom that has nothing to give and wants nothing")
PY
