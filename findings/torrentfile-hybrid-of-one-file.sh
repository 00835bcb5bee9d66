#!/usr/bin/env bash
# torrentfile 0.9.2 (PyPI), a hybrid torrent (BEP 52) of one file.
# Guess: the version 1 half of a hybrid hashes the bytes of the file, the last piece as short as it is:
# a file alone needs no padding.
# Seen: the last hash is taken over the rest of the file and zeros up to the piece length, and no pad
# file says so. A version 1 reader never gets that piece right: a download stays below 100 %.
# Output: last hash over the 10 bytes left: no; over these and zeros up to 16384: yes; pad files: 0
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check torrentfile==0.9.2
python3 -c 'open("data", "wb").write(bytes(range(256)) * 128 + b"ten bytes!")'
venv/bin/torrentfile create --meta-version 3 --piece-length 16384 -o data.torrent data > log 2>&1 ||
  { cat log; exit 1; }
venv/bin/python - <<'PY'
import hashlib
import sys

import pyben

info = pyben.load("data.torrent")["info"]
content = open("data", "rb").read()
rest = content[32768:]
pieces = info["pieces"]
last = pieces[-20:] if isinstance(pieces, bytes) else bytes.fromhex(pieces)[-20:]
short = last == hashlib.sha1(rest).digest()
padded = last == hashlib.sha1(rest.ljust(16384, b"\0")).digest()
pads = sum(1 for file in info.get("files", []) if "p" in file.get("attr", ""))
print(f"last hash over the {len(rest)} bytes left: {'yes' if short else 'no'}; "
      f"over these and zeros up to 16384: {'yes' if padded else 'no'}; pad files: {pads}")
if short:
    sys.exit("changed: the last piece is hashed as it is")
assert padded and pads == 0
PY
