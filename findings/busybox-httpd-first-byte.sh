#!/usr/bin/env bash
# busybox 1:1.35.0-4+deb12u1+b1 (Debian 12), its httpd as a web seed (BEP 19) for libtorrent 2.1.1
# (PyPI).
# Guess: a server that answers ranges (bytes=5-9 gets 206 and five bytes) gives one byte for
# bytes=0-0.
# Seen: it gives 206 with the whole file: an end of 0 counts as no end. A client asks for bytes=0-0
# when a piece ends with the first byte of a file. libtorrent then drops the server for an invalid
# range, and the download stops one byte short.
# Output: bytes=5-9: 206, 5 bytes; bytes=0-1: 206, 2 bytes; bytes=0-0: 206, 40000 bytes; libtorrent
# lacks pieces [1], 0 bytes failed: invalid HTTP range
set -euo pipefail
dir=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
apt-get -qq -o APT::Sandbox::User=root download busybox=1:1.35.0-4+deb12u1+b1
dpkg -x ./*.deb root
mkdir -p www/top got/top
# Pieces of 16384: the second has 16383 bytes of `a` and one of `b`. The others are there already.
python3 - <<'PY'
a, b = bytes(range(1, 252)) * 131, bytes(range(250)) * 160
open("www/top/a", "wb").write(a[:32767])
open("www/top/b", "wb").write(b)
open("got/top/a", "wb").write(a[:32766] + b"?")
open("got/top/b", "wb").write(b)
PY
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
root/bin/busybox httpd -f -p "127.0.0.1:$port" -h "$dir/www" &
server=$!
venv/bin/python -W ignore - "$port" <<'PY'
import hashlib
import sys
import time
import urllib.request

import libtorrent as lt

base = f"http://127.0.0.1:{sys.argv[1]}/"
a, b = open("www/top/a", "rb").read(), open("www/top/b", "rb").read()


def ask(span):
    request = urllib.request.Request(base + "top/b", headers={"Range": f"bytes={span}"})
    until = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read()
        except OSError:
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.1)


some, two, one = ask("5-9"), ask("0-1"), ask("0-0")
whole = a + b
pieces = b"".join(hashlib.sha1(whole[at:at + 16384]).digest() for at in range(0, len(whole), 16384))
info = {b"name": b"top", b"piece length": 16384, b"pieces": pieces,
        b"files": [{b"length": len(a), b"path": [b"a"]}, {b"length": len(b), b"path": [b"b"]}]}
session = lt.session({"listen_interfaces": "127.0.0.1:0", "enable_dht": False,
                      "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
                      "ssrf_mitigation": False,
                      "alert_mask": lt.alert.category_t.peer_log_notification
                      | lt.alert.category_t.error_notification})
leech = lt.add_torrent_params()
leech.ti = lt.torrent_info(lt.bencode({b"info": info, b"url-list": base.encode()}))
leech.save_path = "got"
leech.flags &= ~(lt.torrent_flags.paused | lt.torrent_flags.auto_managed)
handle = session.add_torrent(leech)
until, told = time.monotonic() + 20, ""
while time.monotonic() < until and not handle.status().is_seeding and "invalid" not in told:
    session.wait_for_alert(200)
    told += "".join(alert.message() + "\n" for alert in session.pop_alerts())
status = handle.status()
lacks = [number for number, there in enumerate(status.pieces) if not there]
print("; ".join(f"bytes={span}: {answer[0]}, {len(answer[1])} bytes"
                for span, answer in (("5-9", some), ("0-1", two), ("0-0", one))), end="; ")
print(f"libtorrent lacks pieces {lacks}, {status.total_failed_bytes} bytes failed"
      + (": invalid HTTP range" if "invalid HTTP range" in told else ""))
assert some == (206, b[5:10]) and two == (206, b[:2])
if one == (206, b[:1]) or status.is_seeding:
    sys.exit("changed: one byte is one byte")
assert one == (206, b) and lacks == [1] and "invalid HTTP range" in told
PY
