#!/usr/bin/env bash
# torrentool 1.2.0 (PyPI), torrents made by libtorrent 2.1.1 (PyPI).
# Guess: `info_hash` of a torrent that was read from a file is the SHA-1 of its `info` bytes,
# whatever else `info` holds, and `to_file` writes back what was read.
# Seen: every byte string but `pieces` is read as text, bytes that are not UTF-8 are lost, and the
# hash is taken over what is left. Each hybrid (BEP 52) has such bytes in its `pieces root`, so it
# gets a hash, a magnet link and, when saved, a torrent file that belong to no swarm, without a
# word.
# Output: version 1: the same hash; hybrid: libtorrent 7f76cad6, torrentool e79621c0; saved again:
# libtorrent refuses it: a v2 file entry has no root hash
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check torrentool==1.2.0 libtorrent==2.1.1
venv/bin/python -W ignore - <<'PY'
import sys

import libtorrent as lt
from torrentool.api import Torrent

with open("data", "wb") as out:
    out.write(bytes(range(256)) * 160)


def both(label, flags):
    """The version 1 info hash by libtorrent and by torrentool."""
    made = lt.create_torrent(lt.list_files("data"), 16384, flags)
    made.add_tracker("http://127.0.0.1:6969/announce")
    lt.set_piece_hashes(made, ".")
    raw = lt.bencode(made.generate())
    with open(label, "wb") as out:
        out.write(raw)
    return str(lt.torrent_info(raw).info_hashes().v1), Torrent.from_file(label).info_hash


plain, hybrid = both("v1", lt.create_torrent.v1_only), both("hybrid", 0)
saved = Torrent.from_file("hybrid")
saved.to_file("saved")
try:
    lt.load_torrent_buffer(open("saved", "rb").read())
    verdict = "reads it"
except RuntimeError as error:
    verdict = "refuses it: " + str(error).split(" [")[0]
print(f"version 1: {'the same hash' if plain[0] == plain[1] else 'another hash'}; hybrid: "
      f"libtorrent {hybrid[0][:8]}, torrentool {hybrid[1][:8]}; saved again: libtorrent {verdict}")
assert plain[0] == plain[1]
assert hybrid[1] in saved.magnet_link
if hybrid[0] == hybrid[1]:
    sys.exit("changed: the hash of a hybrid is right")
PY
