#!/usr/bin/env bash
# npm webtorrent 3.0.21, a peer that dials it.
# Guess: TCP is a stream: it makes no difference whether a message comes with the handshake in one
# segment or a moment later.
# Seen: what comes in one read with the handshake of an incoming connection is parsed before
# anything in webtorrent waits for it, and is lost. A peer that says `interested` that way is not
# unchoked; of one that offers metadata that way (BEP 9) none is asked for. The same bytes are heard
# when they are sent once its handshake was read, so who dials had better read that first.
# Output: interested with the handshake: not unchoked within 15 s; after it: unchoked; ut_metadata
# offered with the handshake: metadata not asked for within 15 s; after it: asked for
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
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
client.add(process.argv[2], { path: process.cwd() + '/linked' })
const added = client.add('data.torrent', { path: process.cwd() })
added.on('done', () => console.log(client.torrentPort))
JS
python3 - <<'PY'
import concurrent.futures
import hashlib
import socket
import struct
import subprocess
import sys
import time

content = bytes(range(256)) * 64
pieces = hashlib.sha1(content).digest()


def info(name):
    return b"d6:lengthi16384e4:name4:" + name + b"12:piece lengthi16384e6:pieces20:" + pieces + b"e"


open("data", "wb").write(content)
open("data.torrent", "wb").write(b"d4:info" + info(b"data") + b"e")
seeded, linked = (hashlib.sha1(info(name)).digest() for name in (b"data", b"link"))
interested = b"\0\0\0\x01\x02"
offer = b"\x14\0d1:md11:ut_metadatai3ee13:metadata_sizei%dee" % len(info(b"link"))
offer = struct.pack(">I", len(offer)) + offer


def messages(stream):
    """The messages that come within 15 seconds, without their lengths."""
    taken, until = b"", time.monotonic() + 15
    while True:
        while len(taken) < 4 or len(taken) < 4 + int.from_bytes(taken[:4], "big"):
            stream.settimeout(max(until - time.monotonic(), 0.001))
            try:
                more = stream.recv(4096)
            except TimeoutError:
                return
            assert more, "it closed"
            taken += more
        end = 4 + int.from_bytes(taken[:4], "big")
        yield taken[4:end]
        taken = taken[end:]


def heard(last, info_hash, message, wanted, together):
    """Whether our message gets the answer that it wants. Each of our peers has its own address."""
    with socket.create_connection(("127.0.0.1", port), 5, (f"127.0.0.{last}", 0)) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = (b"\x13BitTorrent protocol" + b"\0\0\0\0\0\x10\0\0" + info_hash
                    + b"-XX0000-%012d" % last)
        stream.sendall(greeting + message if together else greeting)
        answer = stream.recv(68, socket.MSG_WAITALL)
        assert answer[28:48] == info_hash, answer
        if not together:
            stream.sendall(message)
        return any(it.startswith(wanted) for it in messages(stream))


program = subprocess.Popen(["node", "run.mjs", "magnet:?xt=urn:btih:" + linked.hex()],
                           stdout=subprocess.PIPE, text=True)
try:
    port = int(program.stdout.readline())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        together, after, offered, later = pool.map(
            heard, (10, 11, 12, 13), (seeded, seeded, linked, linked),
            (interested, interested, offer, offer), (b"\x01", b"\x01", b"\x14\x03", b"\x14\x03"),
            (True, False, True, False))
finally:
    program.kill()
    program.wait()


def words(it, yes, no):
    return yes if it else no + " within 15 s"


unchoked = [words(it, "unchoked", "not unchoked") for it in (together, after)]
asked = [words(it, "asked for", "metadata not asked for") for it in (offered, later)]
print(f"interested with the handshake: {unchoked[0]}; after it: {unchoked[1]}; "
      f"ut_metadata offered with the handshake: {asked[0]}; after it: {asked[1]}")
assert after and later, "it does not speak with a peer that is slow, either"
if together or offered:
    sys.exit("changed: it hears what comes with the handshake")
PY
