#!/usr/bin/env bash
# torf 4.3.1 (PyPI), hybrid torrents (BEP 52) made by libtorrent 2.1.1 (PyPI).
# Guess: `verify` of a hybrid over the very folder that it was made of succeeds: pads (BEP 47) are
# zeros that nobody keeps on disk, which is why makers may add them to any folder.
# Seen: torf takes pads for files. Without `.pad/12768` on disk `verify` and `verify_filesize` fail,
# so every hybrid of several files does, whole or not; with that file of zeros put there by hand it
# verifies.
# Output: version 1: True; hybrid: ReadError .pad/12768 No such file or directory; with the pads
# made by hand: True
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1 torf==4.3.1
mkdir top
head -c 20000 /dev/zero | tr '\0' a > top/a
head -c 30000 /dev/zero | tr '\0' b > top/b
venv/bin/python -W ignore - <<'PY'
import os
import sys

import libtorrent as lt
import torf


def make(label, flags):
    made = lt.create_torrent(lt.list_files("top"), 16384, flags)
    lt.set_piece_hashes(made, ".")
    raw = lt.bencode(made.generate())
    with open(label, "wb") as out:
        out.write(raw)
    return lt.bdecode(raw)[b"info"][b"files"]


def verify(label):
    try:
        return str(torf.Torrent.read(label).verify("top"))
    except torf.TorfError as error:
        return f"{type(error).__name__} {str(error).removeprefix('top/').replace(':', '')}"


make("v1", lt.create_torrent.v1_only)
pads = [file for file in make("hybrid", 0) if b"p" in file.get(b"attr", b"")]
plain, without = verify("v1"), verify("hybrid")
for pad in pads:
    path = os.path.join("top", *(part.decode() for part in pad[b"path"]))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(bytes(pad[b"length"]))
with_pads = verify("hybrid")
print(f"version 1: {plain}; hybrid: {without}; with the pads made by hand: {with_pads}")
assert plain == "True" and with_pads == "True" and pads
if without == "True":
    sys.exit("changed: it verifies without the pads")
assert without.startswith("ReadError .pad/12768")
PY
