#!/usr/bin/env bash
# transmission-daemon 3.00-2.1+deb12u1 (Debian 12), peers that dial it over TCP.
# Guess: connections are told apart by address and port, so two clients behind one router, or one
# client with two torrents, can dial it in one moment; a connection on which nothing was said yet
# costs the others nothing.
# Seen: while one connection from an IP address has not completed its handshake, each further one from
# that address is closed at once, whatever it says. A client that dials for two torrents in one moment
# loses one of the two connections and should try that soon again: nothing is wrong with the peer. The
# same handshake is answered from another address, and once the first connection is closed.
# Output: beside a silent connection of the same address: closed; from another address: answered;
# Output: once that is closed: answered
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -qq -o APT::Sandbox::User=root download transmission-daemon=3.00-2.1+deb12u1 \
  libevent-2.1-7=2.1.12-stable-8 libminiupnpc17=2.2.4-1+b1 libnatpmp1=20150609-7.1+b2
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$dir/root/usr/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
ldd root/usr/bin/transmission-daemon | grep 'not found' &&
  { echo "install transmission-daemon's libraries first" >&2; exit 2; }
cat > run.py <<'PY'
import hashlib
import itertools
import json
import pathlib
import socket
import subprocess
import sys
import time

until = time.monotonic() + 60
# Its own network, since it takes no peers from 127.0.0.0/8.
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "addr", "add", "10.9.0.1/16", "dev", "lo"], check=True)
info = b"d6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:" + hashlib.sha1(b"hello").digest() + b"e"
info_hash = hashlib.sha1(info).digest()
home = pathlib.Path("home")
(home / "torrents").mkdir(parents=True)
(home / "torrents" / "a.torrent").write_bytes(b"d4:info" + info + b"e")
pathlib.Path("a").write_bytes(b"hello")
(home / "settings.json").write_text(json.dumps({
    "bind-address-ipv4": "10.9.0.1", "peer-port": 7000, "dht-enabled": False, "pex-enabled": False,
    "lpd-enabled": False, "utp-enabled": False, "port-forwarding-enabled": False, "encryption": 0,
    "rpc-enabled": False, "download-dir": str(pathlib.Path.cwd()), "start-added-torrents": True,
}))
daemon = subprocess.Popen(["root/usr/bin/transmission-daemon", "-f", "-g", "home", "-e", "log"],
                          stdout=subprocess.DEVNULL)


# A host of its own for each handshake: what it knows of one does not count for the next.
fresh = itertools.count(10)


def connect(last):
    while True:
        assert time.monotonic() < until, "it does not listen"
        try:
            return socket.create_connection(("10.9.0.1", 7000), 5, (f"10.9.1.{last}", 0))
        except OSError:
            time.sleep(0.1)


def greet(last):
    """What a handshake on a new connection from this address comes to."""
    with connect(last) as stream:
        try:
            stream.sendall(b"\x13BitTorrent protocol" + bytes(8) + info_hash + b"-XX0000-" + b"%012d" % last)
            answer = stream.recv(68)
        except ConnectionError:
            answer = b""
        return "answered" if answer[28:48] == info_hash else "closed"


try:
    # The torrent is there once a handshake for it is answered.
    while greet(next(fresh)) != "answered":
        assert time.monotonic() < until, "it does not take the torrent"
        time.sleep(0.2)
    with connect(2):
        # It accepts in order: the silent connection came before this one.
        other = greet(next(fresh))
        same = greet(2)
    after = greet(2)
    while after != "answered" and time.monotonic() < until:
        time.sleep(0.2)
        after = greet(2)
    print(f"beside a silent connection of the same address: {same}; from another address: {other}; "
          f"once that is closed: {after}")
    if (same, other, after) != ("closed", "answered", "answered"):
        sys.exit("changed")
finally:
    daemon.terminate()
    daemon.wait()
PY
unshare --map-root-user --net python3 run.py || { cat log 2>/dev/null; exit 1; }
