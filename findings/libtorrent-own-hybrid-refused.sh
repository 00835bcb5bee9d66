#!/usr/bin/env bash
# libtorrent 2.1.1 (PyPI), hybrid torrents (BEP 52) made through its new interface (`list_files`).
# Guess: what a library makes by default from two plain folders it also reads.
# Seen: with folders `a` and `a.b` side by side the version 1 list is in the order of whole paths
# (`a.b/c` before `a/c`, since `.` sorts before `/`), the file tree in the order of path components.
# The halves then disagree, and the same library refuses its own torrent.
# Output: files a.b/c, a/c; tree a, a.b; libtorrent refuses it: the v1 and v2 file metadata does not
# match
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
mkdir -p top/a top/a.b
head -c 20000 /dev/zero | tr '\0' 1 > top/a/c
head -c 30000 /dev/zero | tr '\0' 2 > top/a.b/c
venv/bin/python - <<'PY'
import sys

import libtorrent as lt

made = lt.create_torrent(lt.list_files("top"), 16384)
lt.set_piece_hashes(made, ".")
raw = lt.bencode(made.generate())
info = lt.bdecode(raw)[b"info"]
files = [b"/".join(f[b"path"]).decode() for f in info[b"files"] if b"p" not in f.get(b"attr", b"")]
try:
    lt.load_torrent_buffer(raw)
    verdict = "reads it"
except RuntimeError as error:
    verdict = f"refuses it: {str(error).split(' [')[0]}"
print(f"files {', '.join(files)}; tree {', '.join(key.decode() for key in info[b'file tree'])}; "
      f"libtorrent {verdict}")
if verdict == "reads it":
    sys.exit("changed: it reads what it makes")
assert files == ["a.b/c", "a/c"] and "does not match" in verdict
PY
