#!/usr/bin/env bash
# aria2 1.36.0-1 (Debian 12), a hybrid torrent (BEP 52) made and seeded by libtorrent 2.1.1 (PyPI).
# Guess: a program that knows only version 1 takes the version 1 half of a hybrid, as BEP 52 wants
# it: its info hash is the SHA-1 of the `info` bytes as they stand, whatever keys are in there.
# Seen: aria2 writes `info` anew, without the entries whose key is the empty string (each file in a
# `file tree` has one), and hashes that. So it announces every hybrid under a hash that nobody else
# has. From a magnet link it fetches the metadata under the right hash, and then goes over to its
# own.
# Output: hash by libtorrent and in the magnet link: 7f76cad6; by aria2 -S: e0112507; announced:
# 7f76cad6 for the metadata, then e0112507; metadata fetched: yes; content within 12 s: no
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
apt-get -qq -o APT::Sandbox::User=root download aria2=1.36.0-1 libaria2-0=1.36.0-1
for package in ./*.deb; do dpkg -x "$package" root; done
lib=$dir/root/usr/lib/$(uname -m)-linux-gnu
LD_LIBRARY_PATH=$lib ldd root/usr/bin/aria2c | grep 'not found' &&
  { echo "install aria2's libraries first" >&2; exit 2; }
ARIA2_LIB=$lib venv/bin/python -W ignore - <<'PY'
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import libtorrent as lt

os.mkdir("content")
os.mkdir("got")
with open("content/data", "wb") as out:
    out.write(bytes(range(256)) * 160)
os.chdir("content")
made = lt.create_torrent(lt.list_files("data"), 16384)
lt.set_piece_hashes(made, ".")
os.chdir("..")
fields = made.generate()
fields.pop(b"creation date", None)
raw = lt.bencode(fields)
open("hybrid.torrent", "wb").write(raw)
info = lt.torrent_info(raw)
true = str(info.info_hashes().v1)
assert true == hashlib.sha1(lt.bencode(fields[b"info"])).hexdigest()
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False,
                      "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False})
seed = lt.add_torrent_params()
seed.ti, seed.save_path = info, "content"
handle = session.add_torrent(seed)
until = time.monotonic() + 30
while not (handle.status().is_seeding and session.listen_port()):
    assert time.monotonic() < until, "it does not seed"
    time.sleep(0.05)
announced = []


class Tracker(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.urlsplit(self.path).query
        asked = re.search("info_hash=([^&]*)", query).group(1)
        announced.append(urllib.parse.unquote_to_bytes(asked).hex())
        body = (b"d8:intervali5e5:peers6:" + socket.inet_aton("127.0.0.1")
                + session.listen_port().to_bytes(2, "big") + b"e")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


tracker = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tracker)
threading.Thread(target=tracker.serve_forever, daemon=True).start()
environment = dict(os.environ, LD_LIBRARY_PATH=os.environ["ARIA2_LIB"])


def aria2(*arguments):
    return subprocess.run(["root/usr/bin/aria2c", "--no-conf", *arguments], env=environment,
                          capture_output=True, text=True, timeout=60).stdout


shown = re.search("Info Hash: ([0-9a-f]{40})", aria2("-S", "hybrid.torrent")).group(1)
url = urllib.parse.quote(f"http://127.0.0.1:{tracker.server_port}/announce", safe="")
aria2("--dir=got", "--enable-dht=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false",
      "--bt-save-metadata", "--seed-time=0", "--bt-stop-timeout=12",
      f"magnet:?xt=urn:btih:{true}&tr={url}")
metadata = os.path.exists(f"got/{true}.torrent")
whole = (os.path.exists("got/data") and not os.path.exists("got/data.aria2")
         and open("got/data", "rb").read() == open("content/data", "rb").read())
hashes = list(dict.fromkeys(announced))
print(f"hash by libtorrent and in the magnet link: {true[:8]}; by aria2 -S: {shown[:8]}; "
      f"announced: {' for the metadata, then '.join(one[:8] for one in hashes)}; "
      f"metadata fetched: {'yes' if metadata else 'no'}; "
      f"content within 12 s: {'yes' if whole else 'no'}")
assert metadata and hashes[0] == true
if shown == true or whole:
    sys.exit("changed: aria2 has the info hash of a hybrid")


def without_empty_keys(value):
    if not isinstance(value, dict):
        return value
    return {key: without_empty_keys(inner) for key, inner in value.items() if key}


own = hashlib.sha1(lt.bencode(without_empty_keys(fields[b"info"]))).hexdigest()
assert shown == own and hashes == [true, own]
PY
