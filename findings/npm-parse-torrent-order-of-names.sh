#!/usr/bin/env bash
# npm parse-torrent 11.0.24 with bencode 4.0.1, hybrid torrents (BEP 52) made by libtorrent 2.1.1
# (PyPI).
# Guess: the info hash of a torrent file is the SHA-1 of the bytes of its `info` as they stand.
# Seen: `info` is decoded and written anew with its keys in the order of UTF-16 units. That is the
# order of bytes for most names, but a name that begins above U+FFFF (an emoji) then stands before
# one that begins with U+E000 to U+FFFF (fullwidth letters and tilde). A hybrid has the file names
# as keys of its `file tree`, so it gets an info hash of its own when both kinds lie in one folder.
# Output: folder with U+3042 and U+1F600: the same hash; with U+FF5E and U+1F600: libtorrent
# dd1b198f, parse-torrent c134f5dd
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
npm install --prefix . --ignore-scripts --no-audit --no-fund --silent \
  parse-torrent@11.0.24 bencode@4.0.1
cat > make.py <<'PY'
import hashlib
import os

import libtorrent as lt

for label, first in (("plain", "\u3042"), ("both", "\uff5e")):
    os.makedirs(f"{label}/top")
    for name, byte, size in ((first + "wave", b"a", 20000), ("\U0001f600smile", b"b", 30000)):
        with open(f"{label}/top/{name}", "wb") as out:
            out.write(byte * size)
    os.chdir(label)
    made = lt.create_torrent(lt.list_files("top"), 16384)
    lt.set_piece_hashes(made, ".")
    os.chdir("..")
    raw = lt.bencode(made.generate())
    with open(f"{label}.torrent", "wb") as out:
        out.write(raw)
    v1 = str(lt.torrent_info(raw).info_hashes().v1)
    begin = raw.index(b"4:info") + 6
    info = lt.bencode(lt.bdecode(raw)[b"info"])
    assert raw[begin:begin + len(info)] == info and hashlib.sha1(info).hexdigest() == v1
    print(v1)
PY
cat > read.mjs <<'JS'
import fs from 'node:fs'
import parseTorrent from 'parse-torrent'
for (const label of ['plain', 'both']) {
  console.log((await parseTorrent(fs.readFileSync(`${label}.torrent`))).infoHash)
}
JS
mapfile -t theirs < <(PYTHONUTF8=1 venv/bin/python -W ignore make.py)
mapfile -t its < <(node read.mjs)
[ "${#theirs[@]}" = 2 ] && [ "${#its[@]}" = 2 ]
[ "${theirs[0]}" = "${its[0]}" ] && same='the same hash' || same='another hash'
echo "folder with U+3042 and U+1F600: $same; with U+FF5E and U+1F600:" \
  "libtorrent ${theirs[1]:0:8}, parse-torrent ${its[1]:0:8}"
[ "$same" = 'the same hash' ]
if [ "${theirs[1]}" = "${its[1]}" ]; then
  echo "changed: the hash is of the bytes as they stand" >&2
  exit 1
fi
