#!/usr/bin/env bash
# torrentfile 0.9.2 (PyPI), `create --align` (padding files, BEP 47).
# Guess: a pad has what is missing to the next piece boundary, so that the next file begins there.
# Seen: a pad has the remainder of the file's size instead (size mod piece length), so files end up
# off the boundary and the sizes do not agree with the piece hashes; libtorrent 2.1.1 refuses it.
# Output: file of 20000 bytes, pieces of 16384: pad of 3616, wanted 12768; libtorrent refuses it
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check torrentfile==0.9.2 libtorrent==2.1.1
mkdir folder
head -c 20000 /dev/zero | tr '\0' a > folder/a
head -c 30000 /dev/zero | tr '\0' b > folder/b
venv/bin/torrentfile create --align --meta-version 1 --piece-length 16384 -o out.torrent folder \
  > log 2>&1 || { cat log; exit 1; }
venv/bin/python - <<'PY'
import sys

import libtorrent

raw = open("out.torrent", "rb").read()
files = libtorrent.bdecode(raw)[b"info"][b"files"]
first, pad = files[0], files[1]
assert first[b"length"] == 20000 and b"p" in pad.get(b"attr", b""), files
wanted = -first[b"length"] % 16384
try:
    libtorrent.load_torrent_buffer(raw)
    verdict = "reads"
except RuntimeError:
    verdict = "refuses"
print(f"file of {first[b'length']} bytes, pieces of 16384: pad of {pad[b'length']}, "
      f"wanted {wanted}; libtorrent {verdict} it")
if pad[b"length"] == wanted:
    sys.exit("changed: the pad reaches the boundary")
assert pad[b"length"] == 20000 % 16384 and verdict == "refuses"
PY
