#!/usr/bin/env bash
# libtorrent 2.1.1 (PyPI), super-seeding (BEP 16).
# Guess: the seed shows a peer its next piece when another peer says `have` for the last one, as BEP 16
# has it; a peer need not tell the seed that it has what the seed has just sent it.
# Seen: with one peer it is this peer's own `have` that the seed waits for. A client that leaves out
# `have` messages to peers that hold the piece already, as many do to save bytes, is shown nothing more.
# Output: pieces shown: 1; after 6 s without have: 1; within 6 s of saying have: 2
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
venv/bin/python - <<'PY'
import os
import socket
import struct
import sys
import time

import libtorrent as lt

PIECE, PIECES = 16384, 32
os.mkdir("content")
with open("content/data", "wb") as out:
    out.write(os.urandom(PIECE * PIECES))
files = lt.file_storage()
lt.add_files(files, "content/data")
made = lt.create_torrent(files, PIECE, lt.create_torrent.v1_only)
lt.set_piece_hashes(made, "content")
info = lt.torrent_info(lt.bencode(made.generate()))
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False,
                      "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False})
seed = lt.add_torrent_params()
seed.ti, seed.save_path = info, "content"
handle = session.add_torrent(seed)


def wait(what, seconds=30):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)


wait(lambda: handle.status().is_seeding)
handle.set_flags(lt.torrent_flags.super_seeding)
wait(lambda: session.listen_port() != 0)
peer = socket.create_connection(("127.0.0.1", session.listen_port()), 10)
peer.sendall(b"\x13BitTorrent protocol" + bytes(8) + info.info_hashes().v1.to_bytes()
             + b"-XX0000-abcdefghijkl")
shown, got, unchoked, buffer = [], set(), False, b""
greeted = False


def pump(seconds, done=lambda: False):
    """Reads messages for so long, or until `done`."""
    global buffer, greeted, unchoked
    until = time.monotonic() + seconds
    while time.monotonic() < until and not done():
        peer.settimeout(0.1)
        try:
            data = peer.recv(65536)
        except TimeoutError:
            continue
        assert data, "the seed hung up"
        buffer += data
        if not greeted and len(buffer) >= 68:
            buffer, greeted = buffer[68:], True
        while greeted and len(buffer) >= 4:
            length, = struct.unpack(">I", buffer[:4])
            if len(buffer) < 4 + length:
                break
            message, buffer = buffer[4:4 + length], buffer[4 + length:]
            if message[:1] == b"\x01":
                unchoked = True
            elif message[:1] == b"\x04":
                shown.append(struct.unpack(">I", message[1:])[0])
            elif message[:1] == b"\x07":
                got.add(struct.unpack(">I", message[1:5])[0])


pump(20, lambda: shown)
peer.sendall(b"\0\0\0\1\2")
pump(20, lambda: unchoked)
peer.sendall(struct.pack(">IBIII", 13, 6, shown[0], 0, PIECE))
pump(20, lambda: shown[0] in got)
first = len(shown)
pump(6)
without = len(shown)
peer.sendall(struct.pack(">IBI", 5, 4, shown[0]))
pump(6, lambda: len(shown) > without)
print(f"pieces shown: {first}; after 6 s without have: {without}; "
      f"within 6 s of saying have: {len(shown)}")
if without > first:
    sys.exit("changed: the next piece is shown without a have")
assert (first, without, len(shown)) == (1, 1, 2)
PY
