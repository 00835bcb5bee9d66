#!/usr/bin/env bash
# libtorrent 2.1.1 (PyPI), extension protocol (BEP 10).
# Guess: a second extended handshake whose `m` does not name an extension leaves that extension as it
# was: BEP 10 says that each adds to the one before, and that the number 0 switches one off.
# Seen: `ut_metadata` counts as switched off, and the next message for it ends the connection, whereas
# the same message before the second handshake is answered with the metadata.
# Output: before: metadata; after a second handshake without it: connection closed
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
venv/bin/python -W ignore - <<'PY'
import os
import socket
import struct
import sys
import time

import libtorrent as lt

os.mkdir("content")
with open("content/data", "wb") as out:
    out.write(os.urandom(65536))
files = lt.file_storage()
lt.add_files(files, "content/data")
made = lt.create_torrent(files, 16384, lt.create_torrent.v1_only)
lt.set_piece_hashes(made, "content")
info = lt.torrent_info(lt.bencode(made.generate()))
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False,
                      "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False})
seed = lt.add_torrent_params()
seed.ti, seed.save_path = info, "content"
handle = session.add_torrent(seed)
until = time.monotonic() + 30
while not (handle.status().is_seeding and session.listen_port()):
    assert time.monotonic() < until, "it does not seed"
    time.sleep(0.05)
peer = socket.create_connection(("127.0.0.1", session.listen_port()), 10)
peer.sendall(b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\0" + info.info_hashes().v1.to_bytes()
             + b"-XX0000-abcdefghijkl")
stream = peer.makefile("rb")
stream.read(68)


def send(number, payload):
    peer.sendall(struct.pack(">IBB", 2 + len(payload), 20, number) + payload)


def answer(seconds=15):
    """The next ut_metadata message for us, or why there is none."""
    peer.settimeout(seconds)
    try:
        while True:
            head = stream.read(4)
            if len(head) < 4:
                return "connection closed"
            message = stream.read(struct.unpack(">I", head)[0])
            if message[:2] == b"\x14\x05":
                return "metadata" if b"8:msg_typei1e" in message else "reject"
            if message[:2] == b"\x14\x00":
                theirs.update(lt.bdecode(message[2:]).get(b"m", {}))
                ready.append(True)
                if len(ready) == 1:
                    send(theirs[b"ut_metadata"], request)
    except ConnectionResetError:
        return "connection closed"
    except TimeoutError:
        return "no answer"


theirs, ready = {}, []
request = b"d8:msg_typei0e5:piecei0ee"
send(0, b"d1:md11:ut_metadatai5eee")
before = answer()
send(0, b"d1:md6:ut_pexi6eee")
send(theirs[b"ut_metadata"], request)
after = answer()
print(f"before: {before}; after a second handshake without it: {after}")
assert before == "metadata"
if after == "metadata":
    sys.exit("changed: the extension stays in force")
assert after == "connection closed"
PY
