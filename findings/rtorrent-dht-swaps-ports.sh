#!/usr/bin/env bash
# rtorrent 0.9.8-1 with its library libtorrent21 0.13.8-2+b1 (Debian 12), as a DHT node (BEP 5).
# Guess: the peers that get_peers returns have the ports that were announced: compact peer info
# holds the port in network byte order.
# Seen: on a little-endian machine each port comes back with its two bytes exchanged (5001 as
# 35091), so a client that asks this node dials ports where nobody listens. The ports of the nodes
# that it names are right. A port whose two bytes are equal (6939 is 1b 1b) does not show it.
# Output: announced 5001, 6881, 6939; given out as 35091, 57626, 6939
set -euo pipefail
dir=$(mktemp -d)
node=
finish() {
  [ -z "$node" ] || kill "$node" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
cd "$dir"
apt-get -qq -o APT::Sandbox::User=root download rtorrent=0.9.8-1 libtorrent21=0.13.8-2+b1 \
  libxmlrpc-core-c3=1.33.14-11
for package in ./*.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$dir/root/usr/lib/$(uname -m)-linux-gnu
export LD_LIBRARY_PATH
ldd root/usr/bin/rtorrent | grep 'not found' &&
  { echo "install rtorrent's libraries first" >&2; exit 2; }
port=$(python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 0)); print(s.getsockname()[1])')
mkdir session
cat > rc <<RC
session.path.set = $dir/session
directory.default.set = $dir
network.bind_address.set = 127.0.0.1
network.port_range.set = $port-$port
dht.mode.set = on
dht.port.set = $port
system.daemon.set = true
RC
HOME=$dir root/usr/bin/rtorrent -n -o "import=$dir/rc" > log 2>&1 &
node=$!
python3 - "$port" <<'PY' || { cat log; exit 1; }
import re
import socket
import sys
import time

until = time.monotonic() + 40


class Client:
    """A node of ours; it answers pings, so that the other one takes it for a node."""

    def __init__(self, last):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((f"127.0.0.{last}", 0))
        self.udp.connect(("127.0.0.1", int(sys.argv[1])))
        self.udp.settimeout(1)
        self.id = b"2:id20:" + bytes([64 + last]) * 20

    def ask(self, name, arguments, wanted):
        """The answer, once it has what is wanted."""
        query = b"d1:ad" + self.id + arguments + b"e1:q%d:%s1:t2:aa1:y1:qe" % (len(name), name)
        while True:
            assert time.monotonic() < until, "the node does not answer"
            try:
                self.udp.send(query)
                while b"1:y1:q" in (packet := self.udp.recv(4096)):
                    at = re.search(rb"1:t(\d+):", packet)
                    mark = packet[at.end():at.end() + int(at.group(1))]
                    self.udp.send(b"d1:rd" + self.id + b"e1:t%d:%s1:y1:re" % (len(mark), mark))
                if found := re.search(wanted, packet, re.S):
                    return found, packet
            except OSError:
                pass
            time.sleep(0.2)


of = b"9:info_hash20:" + b"a" * 20
announced = [5001, 6881, 6939]
clients = [Client(last) for last in range(2, 5)]
for client, port in zip(clients, announced):
    # It learns of nodes from pings; before it knows one, get_peers gets an error and no token.
    client.ask(b"ping", b"", rb"1:y1:r")
    token = client.ask(b"get_peers", of, rb"5:token8:(.{8})")[0].group(1)
    client.ask(b"announce_peer", of + b"4:porti%de5:token8:" % port + token, rb"1:y1:r")
_, answer = clients[0].ask(b"get_peers", of, rb"6:values")
given = {}
for host, port in re.findall(rb"6:\x7f\0\0(.)(..)", answer, re.S):
    given[host[0]] = int.from_bytes(port, "big")
given = [given[last] for last in range(2, 5)]
swapped = [int.from_bytes(port.to_bytes(2, "big"), "little") for port in announced]
print(f"announced {', '.join(map(str, announced))}; given out as {', '.join(map(str, given))}")
if given == announced:
    sys.exit("changed: the ports are right")
assert given == swapped
PY
