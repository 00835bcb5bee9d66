#!/usr/bin/env bash
# libtorrent 2.1.1 (PyPI), peer exchange (BEP 11).
# Guess: `added.f` is optional, as BEP 11 says of it; peers in `added` are dialled with or without it.
# Seen: a message with `added` and no `added.f` is ignored as a whole. rqbit and rtorrent send it that
# way, so what they name to libtorrent is lost.
# Output: named without added.f: not dialled within 15 s; named with it: dialled
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
venv/bin/python -W ignore - <<'PY'
import os
import select
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
                      "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
                      "enable_outgoing_utp": False, "allow_multiple_connections_per_ip": True})
leech = lt.add_torrent_params()
leech.ti, leech.save_path = info, "."
leech.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
handle = session.add_torrent(leech)
until = time.monotonic() + 30
while not (handle.status().state == lt.torrent_status.downloading and session.listen_port()):
    assert time.monotonic() < until, "it does not download"
    time.sleep(0.05)
named = []
for last in (3, 4):
    listener = socket.socket()
    listener.bind((f"127.0.0.{last}", 0))
    listener.listen()
    named.append(listener)
peer = socket.create_connection(("127.0.0.1", session.listen_port()), 10,
                                source_address=("127.0.0.2", 0))
peer.sendall(b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\0" + info.info_hashes().v1.to_bytes()
             + b"-XX0000-abcdefghijkl")
stream = peer.makefile("rb")
stream.read(68)
peer.sendall(struct.pack(">IBB", 2 + 18, 20, 0) + b"d1:md6:ut_pexi1eee")
pex = None
while pex is None:
    message = stream.read(struct.unpack(">I", stream.read(4))[0])
    if message[:2] == b"\x14\x00":
        pex = lt.bdecode(message[2:])[b"m"][b"ut_pex"]


def dialled(listener, flags):
    host, port = listener.getsockname()
    entry = socket.inet_aton(host) + struct.pack(">H", port)
    body = b"d5:added6:" + entry + (b"7:added.f1:\0" if flags else b"") + b"e"
    peer.sendall(struct.pack(">IBB", 2 + len(body), 20, pex) + body)
    return bool(select.select([listener], [], [], 15 if not flags else 30)[0])


without = dialled(named[0], False)
with_flags = dialled(named[1], True)
late = bool(select.select([named[0]], [], [], 0)[0])
print(f"named without added.f: {'dialled' if without or late else 'not dialled within 15 s'}; "
      f"named with it: {'dialled' if with_flags else 'not dialled'}")
assert with_flags
if without or late:
    sys.exit("changed: it is dialled without flags, too")
PY
