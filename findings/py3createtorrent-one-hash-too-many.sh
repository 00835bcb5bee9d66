#!/usr/bin/env bash
# py3createtorrent 1.2.1 (PyPI), read by libtorrent 2.1.1 (PyPI).
# Guess: content of exactly n pieces gets n piece hashes, whether it is a file or a folder.
# Seen: a lone file gets n. A folder whose size is a multiple of the piece length gets n + 1, the last
# one 20 zero bytes, and libtorrent refuses that torrent.
# Output: 65536 bytes in pieces of 16384: as a file 4 hashes, as a folder 5 (the last: zeros);
# libtorrent reads the file's and refuses the folder's
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check py3createtorrent==1.2.1 libtorrent==2.1.1
mkdir folder
head -c 65536 /dev/zero | tr '\0' x > folder/image
venv/bin/py3createtorrent -q -p 16 -o file.torrent folder/image
venv/bin/py3createtorrent -q -p 16 -o folder.torrent folder
venv/bin/python - <<'PY'
import sys

import libtorrent


def read(path):
    raw = open(path, "rb").read()
    pieces = libtorrent.bdecode(raw)[b"info"][b"pieces"]
    try:
        libtorrent.load_torrent_buffer(raw)
        verdict = "reads"
    except RuntimeError:
        verdict = "refuses"
    return len(pieces) // 20, pieces[-20:] == bytes(20), verdict


file, folder = read("file.torrent"), read("folder.torrent")
print(f"65536 bytes in pieces of 16384: as a file {file[0]} hashes, as a folder {folder[0]} "
      f"(the last: {'zeros' if folder[1] else 'a hash'}); "
      f"libtorrent {file[2]} the file's and {folder[2]} the folder's")
if folder[0] == 4:
    sys.exit("changed: as many hashes as pieces")
assert file == (4, False, "reads") and folder == (5, True, "refuses")
PY
