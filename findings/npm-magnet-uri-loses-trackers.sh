#!/usr/bin/env bash
# npm magnet-uri 7.0.10, beside libtorrent 2.1.1 and torf 4.3.1 (PyPI).
# Guess: a parameter ends at `&` and its name at the first `=`; what follows is the value, with more
# `=` in it or not (RFC 3986 allows them in a query), and %2B is a plus sign.
# Seen: a parameter with a second `=` that is not escaped is left out without a word, so a tracker
# or web seed whose address has a query of its own (a passkey) is lost. In `dn` %2B becomes a space,
# since escapes are undone before plus signs are turned into spaces; encoded again, the link has
# another name.
# Output: trackers of libtorrent, torf: http://127.0.0.1/a?key=1 http://127.0.0.1/b; of magnet-uri:
# http://127.0.0.1/b; name of libtorrent, torf: C++ x; of magnet-uri: C   x
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1 torf==4.3.1
npm install --prefix . --ignore-scripts --no-audit --no-fund --silent magnet-uri@7.0.10
link='magnet:?xt=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36&dn=C%2B%2B+x'
link+='&tr=http://127.0.0.1/a?key=1&tr=http://127.0.0.1/b'
cat > read.mjs <<'JS'
import magnet from 'magnet-uri'
const read = magnet(process.argv[2])
console.log(JSON.stringify([read.dn, [...read.announce].sort()]))
JS
node read.mjs "$link" > npm.json
venv/bin/python -W ignore - "$link" <<'PY'
import json
import sys

import libtorrent as lt
import torf

rasterbar = lt.parse_magnet_uri(sys.argv[1])
other = torf.Magnet.from_string(sys.argv[1])
trackers = sorted(rasterbar.trackers)
assert trackers == sorted(map(str, other.tr)) and rasterbar.name == other.dn
name, found = json.load(open("npm.json"))
print(f"trackers of libtorrent, torf: {' '.join(trackers)}; of magnet-uri: {' '.join(found)}; "
      f"name of libtorrent, torf: {rasterbar.name}; of magnet-uri: {name}")
assert trackers == ["http://127.0.0.1/a?key=1", "http://127.0.0.1/b"] and rasterbar.name == "C++ x"
if found == trackers or name == rasterbar.name:
    sys.exit("changed: it reads what the others read")
assert found == trackers[1:] and name == "C   x"
PY
