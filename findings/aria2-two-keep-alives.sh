#!/usr/bin/env bash
# aria2 1.36.0-1 (Debian 12), keep-alives (BEP 3).
# Guess: a keep-alive is always welcome; a peer that wants to be sure of a connection may send some.
# Seen: two keep-alives within five seconds end the connection ("Flooding detected" in its log); the
# same two, seven seconds apart, are fine.
# Output: two at once: closed after 5 s; two 7 s apart: open
set -euo pipefail
dir=$(mktemp -d)
aria=
finish() {
  [ -z "$aria" ] || kill "$aria" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
cd "$dir"
apt-get -qq -o APT::Sandbox::User=root download aria2=1.36.0-1 libaria2-0=1.36.0-1
for package in ./*.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$dir/root/usr/lib/$(uname -m)-linux-gnu
ldd root/usr/bin/aria2c | grep 'not found' && { echo "install aria2's libraries first" >&2; exit 2; }
python3 - <<'PY'
import hashlib

content = bytes(range(256)) * 256
open("data", "wb").write(content)
pieces = b"".join(hashlib.sha1(content[at:at + 16384]).digest() for at in range(0, 65536, 16384))
info = (b"d6:lengthi65536e4:name4:data12:piece lengthi16384e6:pieces80:" + pieces + b"e")
open("data.torrent", "wb").write(b"d4:info" + info + b"e")
open("hash", "wb").write(hashlib.sha1(info).digest())
PY
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
root/usr/bin/aria2c --no-conf -q --check-integrity=true --seed-ratio=0 --enable-dht=false \
  --bt-enable-lpd=false --enable-peer-exchange=false --listen-port="$port" --dir=. data.torrent &
aria=$!
python3 - "$port" <<'PY'
import socket
import sys
import time

port, info_hash = int(sys.argv[1]), open("hash", "rb").read()


def connect(host):
    until = time.monotonic() + 30
    while True:
        try:
            peer = socket.create_connection(("127.0.0.1", port), 5, source_address=(host, 0))
            peer.sendall(b"\x13BitTorrent protocol" + bytes(8) + info_hash
                         + b"-XX0000-" + host.encode().rjust(12, b"x"))
            peer.settimeout(5)
            if peer.recv(68):
                return peer
        except OSError:
            pass
        assert time.monotonic() < until, "aria2 does not answer"
        time.sleep(0.2)


def fate(host, gap):
    peer = connect(host)
    # Not interested and a seed beside us would be closed for other reasons: we want something.
    peer.sendall(b"\0\0\0\1\2")
    peer.settimeout(0.1)
    begun = time.monotonic()
    sent = 0
    while time.monotonic() - begun < gap + 6:
        if sent < 2 and time.monotonic() - begun >= sent * gap:
            peer.sendall(bytes(4))
            sent += 1
        try:
            if not peer.recv(65536):
                return f"closed after {time.monotonic() - begun:.0f} s"
        except TimeoutError:
            pass
        except ConnectionResetError:
            return f"closed after {time.monotonic() - begun:.0f} s"
    return "open"


quick, slow = fate("127.0.0.2", 0), fate("127.0.0.3", 7)
print(f"two at once: {quick}; two 7 s apart: {slow}")
assert slow == "open"
if quick == "open":
    sys.exit("changed: two keep-alives at once are fine")
PY
