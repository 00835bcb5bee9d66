#!/usr/bin/env bash
# libtorrent 2.1.1 (PyPI), a DHT node with default settings, asked from two public addresses
# (a network namespace in which both are local).
# Guess: a ping is answered, whichever unicast address it comes from.
# Seen: no answer to 11.7.1.1, an answer to 81.7.1.1. Networks of which it expects no traffic are
# ignored as whole first bytes (`dht_ignore_dark_internet`, on by default), and 11 is among them
# though it is routed. A test network of made-up addresses is silent for that.
# Output: ping from 81.7.1.1: answered; from 11.7.1.1: silence
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check libtorrent==2.1.1
cat > ask.py <<'PY'
import socket
import time

import libtorrent as lt

node = lt.session({
    "listen_interfaces": "90.7.1.1:6881", "dht_bootstrap_nodes": "", "enable_dht": True, "enable_lsd": False, "enable_upnp": False,
    "enable_natpmp": False,
})
time.sleep(1)


def ping(source):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind((source, 0))
        asking.settimeout(0.5)
        for _ in range(4):
            asking.sendto(b"d1:ad2:id20:" + b"q" * 20 + b"e1:q4:ping1:t2:aa1:y1:qe", ("90.7.1.1", 6881))
            try:
                return "answered" if b"1:rd" in asking.recv(2000) else "another answer"
            except TimeoutError:
                pass
    return "silence"


public, dark = ping("81.7.1.1"), ping("11.7.1.1")
print(f"ping from 81.7.1.1: {public}; from 11.7.1.1: {dark}")
assert (public, dark) == ("answered", "silence")
PY
unshare --map-root-user --net sh -c '
  ip link set lo up
  for address in 90.7.1.1 81.7.1.1 11.7.1.1; do ip route add local $address dev lo table local; done
  exec venv/bin/python ask.py'
