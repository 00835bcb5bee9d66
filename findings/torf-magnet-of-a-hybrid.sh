#!/usr/bin/env bash
# torf 4.3.1 (PyPI), magnet links, beside libtorrent 2.1.1 (PyPI).
# Guess: a magnet link may name a hybrid by both hashes (BEP 52), and parameters that a program does
# not know are passed over; what a library writes it also reads.
# Seen: two `xt` and every parameter that it does not list, `so` of BEP 53 among them, make the
# whole link invalid. So it refuses the link that libtorrent writes for a hybrid. `as` (acceptable
# source) it writes as `as_`, which it then refuses, too.
# Output: libtorrent's link of a hybrid: Multiple exact topics ("xt"); with so=0: so: Unknown
# parameter; its own link with as: as_: Unknown parameter; without these: read
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1 torf==4.3.1
venv/bin/python -W ignore - <<'PY'
import sys

import libtorrent as lt
import torf

with open("data", "wb") as out:
    out.write(bytes(range(256)) * 160)
made = lt.create_torrent(lt.list_files("data"), 16384)
lt.set_piece_hashes(made, ".")
hybrid = lt.make_magnet_uri(lt.torrent_info(lt.bencode(made.generate())))
plain = "magnet:?xt=urn:btih:" + "a5" * 20
own = str(torf.Magnet("a5" * 20, as_="http://127.0.0.1/data"))


def read(link):
    try:
        torf.Magnet.from_string(link)
    except torf.MagnetError as error:
        return str(error).removeprefix(link + ": ")
    return "read"


assert "urn:btih:" in hybrid and "urn:btmh:" in hybrid
both, selected, again, bare = (read(link) for link in (hybrid, plain + "&so=0", own, plain))
print(f"libtorrent's link of a hybrid: {both}; with so=0: {selected}; "
      f"its own link with as: {again}; without these: {bare}")
assert bare == "read"
if "read" in (both, selected, again):
    sys.exit("changed: it reads one of them")
assert "xt" in both and "so" in selected and "as_" in again
PY
