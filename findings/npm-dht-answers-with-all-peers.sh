#!/usr/bin/env bash
# npm bittorrent-dht 11.0.12, get_peers (BEP 5).
# Guess: a node answers with as many peers as fit one packet (other nodes send 25 to 100), drawn at
# random when it knows more.
# Seen: it sends every peer it stores in one datagram, which the network must cut into fragments: with
# 500 peers 4 KB for a question of 95 bytes. A client whose buffer holds 1500 bytes loses the answer of
# just those nodes that know most.
# Output: 500 peers announced, 500 in one datagram of 4087 bytes
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
npm install --prefix . --ignore-scripts --no-audit --no-fund --silent bittorrent-dht@11.0.12
cat > node.mjs <<'JS'
import fs from 'node:fs'
import DHT from 'bittorrent-dht'
const dht = new DHT({ bootstrap: false })
dht.listen(0, '127.0.0.1', () => {
  fs.writeFileSync('port.new', String(dht.address().port))
  fs.renameSync('port.new', 'port')
})
JS
node node.mjs &
node=$!
for _ in $(seq 300); do
  [ -e port ] && break
  kill -0 "$node"
  sleep 0.1
done
python3 - "$(cat port)" <<'PY'
import re
import socket
import sys

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(10)
udp.connect(("127.0.0.1", int(sys.argv[1])))


def ask(query):
    udp.send(query)
    return udp.recv(65536)


ours, wanted = b"2:id20:" + b"b" * 20, b"9:info_hash20:" + b"a" * 20
get_peers = b"d1:ad" + ours + wanted + b"e1:q9:get_peers1:t2:aa1:y1:qe"
token = re.search(rb"5:token20:(.{20})", ask(get_peers), re.S).group(1)
for port in range(5000, 5500):
    answer = ask(b"d1:ad" + ours + b"12:implied_porti0e" + wanted + b"4:porti%de" % port
                 + b"5:token20:" + token + b"e1:q13:announce_peer1:t2:ab1:y1:qe")
    assert b"1:y1:r" in answer, answer
answer = ask(get_peers)
peers = answer.count(b"6:\x7f\0\0\x01")
print(f"500 peers announced, {peers} in one datagram of {len(answer)} bytes")
if peers < 500:
    sys.exit("changed: it sends only some of them")
assert peers == 500 and len(answer) > 3500
PY
