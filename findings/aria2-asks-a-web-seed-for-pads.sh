#!/usr/bin/env bash
# aria2 1.36.0-1 (Debian 12) and libtorrent 2.1.1 (PyPI), padding files (BEP 47) and a web seed (BEP
# 19).
# Guess: a client that knows nothing of `attr` still downloads a padded torrent, only with a file of
# zeros more, as BEP 47 has it for old clients. A web seed serves the folder as it was, without
# pads.
# Seen: from peers that holds; from a web seed aria2 asks for the pad as for any file, takes the 404
# as the end of the whole download and exits with 3 (not found), after it has fetched both real
# files. So pads and a web seed in one torrent shut aria2 out unless the server has the `.pad`
# files, too.
# Output: aria2 asked for: /top/.pad/12768 /top/a /top/b, exit 3, download unfinished; libtorrent
# asked for: /top/a /top/b, whole
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
mkdir -p www/top aria2 libtorrent
ARIA2_LIB=$lib venv/bin/python -W ignore - <<'PY'
import functools
import hashlib
import http.server
import os
import subprocess
import sys
import threading
import time

import libtorrent as lt

PIECE = 16384
a, b = bytes(range(250)) * 80, bytes(range(200)) * 150
for name, content in (("a", a), ("b", b)):
    with open(f"www/top/{name}", "wb") as out:
        out.write(content)
asked = []


class Server(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        super().do_GET()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(
    ("127.0.0.1", 0), functools.partial(Server, directory="www"))
threading.Thread(target=server.serve_forever, daemon=True).start()
pad = -len(a) % PIECE
whole = a + bytes(pad) + b
pieces = b"".join(hashlib.sha1(whole[at:at + PIECE]).digest() for at in range(0, len(whole), PIECE))
files = [{b"length": len(a), b"path": [b"a"]},
         {b"attr": b"p", b"length": pad, b"path": [b".pad", str(pad).encode()]},
         {b"length": len(b), b"path": [b"b"]}]
info = {b"files": files, b"name": b"top", b"piece length": PIECE, b"pieces": pieces}
raw = lt.bencode({b"info": info, b"url-list": f"http://127.0.0.1:{server.server_port}/".encode()})
with open("padded.torrent", "wb") as out:
    out.write(raw)


def right(folder):
    return all(os.path.exists(f"{folder}/top/{name}")
               and open(f"{folder}/top/{name}", "rb").read() == content
               for name, content in (("a", a), ("b", b)))


run = subprocess.run(
    ["root/usr/bin/aria2c", "--no-conf", "-q", "--dir=aria2", "--seed-time=0", "--enable-dht=false",
     "--bt-enable-lpd=false", "--bt-stop-timeout=15", "padded.torrent"],
    env=dict(os.environ, LD_LIBRARY_PATH=os.environ["ARIA2_LIB"]), timeout=60)
by_aria2, unfinished = sorted(set(asked)), os.path.exists("aria2/top.aria2")
asked.clear()
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False,
                      "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
                      "ssrf_mitigation": False})
leech = lt.add_torrent_params()
leech.ti, leech.save_path = lt.torrent_info(raw), "libtorrent"
leech.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
handle = session.add_torrent(leech)
until = time.monotonic() + 30
while not handle.status().is_seeding:
    assert time.monotonic() < until, "libtorrent does not finish"
    time.sleep(0.05)
by_libtorrent = sorted(set(asked))
print(f"aria2 asked for: {' '.join(by_aria2)}, exit {run.returncode}, "
      f"download {'unfinished' if unfinished else 'whole'}; libtorrent asked for: "
      f"{' '.join(by_libtorrent)}, whole")
assert by_libtorrent == ["/top/a", "/top/b"]
if run.returncode == 0 and not unfinished and right("aria2"):
    sys.exit("changed: it finishes without the pads of the web seed")
assert by_aria2 == [f"/top/.pad/{pad}", "/top/a", "/top/b"] and run.returncode == 3 and unfinished
PY
