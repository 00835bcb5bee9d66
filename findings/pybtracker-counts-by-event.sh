#!/usr/bin/env bash
# pybtracker 0.2.4 (PyPI), UDP announce (BEP 15).
# Guess: who is a seeder follows from `left`: a peer with nothing left is one.
# Seen: `left` is never looked at. A peer that ever said `started` or `completed` is a seeder, one that
# came without an event is a leecher; so a downloader counts as a seeder from its first announce on.
# The address in the announce's own IP field is taken for true and named to others, too.
# Output: started with 10 bytes left: seeders 1, leechers 0; then no event with nothing left:
# seeders 1, leechers 1; named for IP field 192.0.2.7: 192.0.2.7
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
venv/bin/pip install -q --disable-pip-version-check pybtracker==0.2.4
port=$(python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
venv/bin/pybtracker -b "127.0.0.1:$port" -O > log 2>&1 &
server=$!
python3 - "$port" <<'PY' || { cat log; exit 1; }
import socket
import struct
import sys
import time

address = ("127.0.0.1", int(sys.argv[1]))


def announce(number, event, left, ip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(1)
        until = time.monotonic() + 30
        while True:
            try:
                udp.sendto(struct.pack(">QII", 0x41727101980, 0, 7), address)
                _, _, connection = struct.unpack(">IIQ", udp.recv(64))
                break
            except OSError:
                if time.monotonic() > until:
                    raise
        peer_id = f"-XX0000-abcdefghijk{number}".encode()
        udp.sendto(struct.pack(">QII20s20sQQQI4sIiH", connection, 1, 8, b"a" * 20, peer_id,
                               0, left, 0, event, socket.inet_aton(ip), 0, -1, 5000 + number), address)
        udp.settimeout(5)
        answer = udp.recv(4096)
    action, _, _, leechers, seeders = struct.unpack(">IIIII", answer[:20])
    assert action == 1, answer
    peers = [socket.inet_ntoa(answer[at:at + 4]) for at in range(20, len(answer), 6)]
    return leechers, seeders, peers


first = announce(1, 2, 10, "192.0.2.7")
second = announce(2, 0, 0, "0.0.0.0")
named = "192.0.2.7" if "192.0.2.7" in second[2] else str(second[2])
print(f"started with 10 bytes left: seeders {first[1]}, leechers {first[0]}; "
      f"then no event with nothing left: seeders {second[1]}, leechers {second[0]}; "
      f"named for IP field 192.0.2.7: {named}")
if first[:2] == (1, 0):
    sys.exit("changed: a peer with bytes left is a leecher")
assert first[:2] == (0, 1) and second[:2] == (1, 1) and named == "192.0.2.7"
PY
