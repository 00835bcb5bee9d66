#!/usr/bin/env bash
# rtorrent 0.9.8-1 with its library libtorrent21 0.13.8-2+b1 (Debian 12), encryption (MSE), beside
# libtorrent 2.1.1 (PyPI).
# Guess: the shared secret S is hashed as 96 bytes, whatever its value: MSE gives keys and secret a
# fixed length.
# Seen: leading zero bytes of S are left out before it is hashed, so the other side looks for
# another hash than the one that message 3 begins with. With clients that keep the zeros one key
# exchange in 256 fails by chance; a new connection has new keys. No test with a few connections
# shows it.
# Output: first byte of S not 0: rtorrent hashes 96 bytes, libtorrent 96; first byte 0: rtorrent
# hashes 95 bytes, libtorrent 96
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
apt-get -qq -o APT::Sandbox::User=root download rtorrent=0.9.8-1 libtorrent21=0.13.8-2+b1 \
  libxmlrpc-core-c3=1.33.14-11
for package in ./*.deb; do dpkg -x "$package" root; done
lib=$dir/root/usr/lib/$(uname -m)-linux-gnu
LD_LIBRARY_PATH=$lib ldd root/usr/bin/rtorrent | grep 'not found' &&
  { echo "install rtorrent's libraries first" >&2; exit 2; }
RTORRENT_LIB=$lib venv/bin/python -W ignore - <<'PY'
import hashlib
import http.server
import os
import pathlib
import socket
import subprocess
import sys
import threading

import libtorrent as lt

PRIME = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
            "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
            "4FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563", 16)
peer = socket.create_server(("127.0.0.1", 0))
peer.settimeout(40)


class Tracker(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        port = peer.getsockname()[1].to_bytes(2, "big")
        body = b"d8:intervali60e5:peers6:\x7f\0\0\x01" + port + b"e"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


tracker = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tracker)
threading.Thread(target=tracker.serve_forever, daemon=True).start()


def torrent(name):
    """A torrent whose one peer is `peer`."""
    return lt.bencode({
        b"announce": b"http://127.0.0.1:%d/announce" % tracker.server_address[1],
        b"info": {b"name": name, b"length": 5, b"piece length": 16384, b"pieces": bytes(20)},
    })


def receive(stream, count):
    taken = b""
    while len(taken) < count:
        more = stream.recv(count - len(taken))
        assert more, "it closed"
        taken += more
    return taken


def hashed(zero):
    """How many bytes of S who dials hashes, for an S that begins with a zero byte or does not."""
    stream, _ = peer.accept()
    with stream:
        stream.settimeout(20)
        theirs = receive(stream, 96)
        assert theirs[:20] != b"\x13BitTorrent protocol", "it dials without encryption"
        secret = b""
        while not secret or (secret[0] == 0) is not zero or secret[:2] == b"\0\0":
            ours = int.from_bytes(os.urandom(20), "big")
            secret = pow(int.from_bytes(theirs, "big"), ours, PRIME).to_bytes(96, "big")
        stream.sendall(pow(2, ours, PRIME).to_bytes(96, "big"))
        marks = {hashlib.sha1(b"req1" + secret.lstrip(b"\0").rjust(length, b"\0")).digest(): length
                 for length in ([95, 96] if zero else [96])}
        # Message 3 stands behind at most 512 bytes of padding.
        sent = b""
        while not any(mark in sent for mark in marks) and len(sent) < 532:
            more = stream.recv(4096)
            if not more:
                break
            sent += more
        return next((length for mark, length in marks.items() if mark in sent), None)


home = pathlib.Path.cwd() / "home"
(home / "session").mkdir(parents=True)
(home / "rc").write_text(f"""session.path.set = {home}/session
directory.default.set = {home}
network.bind_address.set = 127.0.0.1
dht.mode.set = off
protocol.encryption.set = require
system.daemon.set = true
""")
for name in (b"one", b"two"):
    (home / name.decode()).write_bytes(torrent(name))
command = ["root/usr/bin/rtorrent", "-n", "-o", f"import={home}/rc", home / "one", home / "two"]
surroundings = {**os.environ, "HOME": str(home), "LD_LIBRARY_PATH": os.environ["RTORRENT_LIB"]}
with open("log", "w") as log:
    program = subprocess.Popen(command, env=surroundings, stdout=log, stderr=log)
try:
    rtorrent = [hashed(False), hashed(True)]
except Exception:
    print(open("log").read(), file=sys.stderr)
    raise
finally:
    program.terminate()
    program.wait()
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False,
                      "enable_upnp": False, "enable_natpmp": False, "enable_outgoing_utp": False,
                      "out_enc_policy": 0})
libtorrent = []
for name, zero in ((b"one", False), (b"two", True)):
    params = lt.add_torrent_params()
    params.ti, params.save_path = lt.torrent_info(lt.bdecode(torrent(name))), "."
    session.add_torrent(params)
    libtorrent.append(hashed(zero))
for text, a, b in zip(("not 0", "0"), rtorrent, libtorrent):
    print(f"first byte of S {text}: rtorrent hashes {a} bytes, libtorrent {b}")
assert libtorrent == [96, 96] and rtorrent[0] == 96
if rtorrent[1] == 96:
    sys.exit("changed: rtorrent keeps the zeros")
assert rtorrent[1] == 95
PY
