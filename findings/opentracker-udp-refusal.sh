#!/usr/bin/env bash
# opentracker 0.0~git20210823.110868e-3 (Debian 12, built with a whitelist).
# Guess: a UDP announce for a torrent that it does not serve is answered as BEP 15 says: action 3 with
# words, as it does over HTTP ("Requested download is not authorized for use with this tracker.").
# Seen: 8 bytes, action 1 and the transaction: the head of an announce reply without its body. A client
# that drops replies below 20 bytes asks again until its last time-out and never learns why.
# Output: announce of an unlisted torrent: 8 bytes, action 1; of a listed one: 26 bytes, action 1
set -euo pipefail
dir=$(mktemp -d)
tracker=
finish() {
  [ -z "$tracker" ] || kill "$tracker" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
cd "$dir"
apt-get -qq -o APT::Sandbox::User=root download \
  opentracker=0.0~git20210823.110868e-3 libowfat0=0.32-4
for package in ./*.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=$dir/root/usr/lib/$(uname -m)-linux-gnu:$dir/root/usr/lib
printf '%s\n' "$(printf 'l%.0s' $(seq 20) | od -An -tx1 | tr -d ' \n')" > whitelist
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')
program=$(find root -type f -name 'opentracker*' -path '*bin*' | head -n 1)
chmod 755 . && chmod 644 whitelist
# It does not run as root.
user=$(id -un)
[ "$user" != root ] || user=nobody
"$program" -i 127.0.0.1 -p "$port" -P "$port" -w whitelist -d "$dir" -u "$user" > log 2>&1 &
tracker=$!
python3 - "$port" <<'PY' || { cat log; exit 1; }
import socket
import struct
import sys
import time

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(1)
udp.connect(("127.0.0.1", int(sys.argv[1])))
until = time.monotonic() + 30


def ask(packet):
    while True:
        assert time.monotonic() < until, "the tracker does not answer"
        try:
            udp.send(packet)
            return udp.recv(4096)
        except OSError:
            time.sleep(0.1)


def announce(info_hash):
    _, _, connection = struct.unpack(">IIQ", ask(struct.pack(">QII", 0x41727101980, 0, 7)))
    return ask(struct.pack(">QII20s20sQQQIIIiH", connection, 1, 8, info_hash,
                           b"-XX0000-abcdefghijkl", 0, 10, 0, 2, 0, 0, -1, 5000))


unlisted, listed = announce(b"u" * 20), announce(b"l" * 20)
actions = [struct.unpack(">I", answer[:4])[0] for answer in (unlisted, listed)]
print(f"announce of an unlisted torrent: {len(unlisted)} bytes, action {actions[0]}; "
      f"of a listed one: {len(listed)} bytes, action {actions[1]}")
assert actions[1] == 1 and len(listed) >= 20
if actions[0] == 3:
    sys.exit("changed: it says why")
assert (len(unlisted), actions[0]) == (8, 1)
PY
