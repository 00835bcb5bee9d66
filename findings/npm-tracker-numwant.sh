#!/usr/bin/env bash
# npm bittorrent-tracker 11.2.3, HTTP announce.
# Guess: `numwant=0` gets no peers, as BEP 3 clients mean it when they only report; `numwant=-1` gets
# the default number, as BEP 15 says for UDP.
# Seen: the other way round. 0 counts as not given and gets up to 50 peers, -1 gets none, without any
# failure, though the counts say that there are peers.
# Output: numwant=0: 4 peers; numwant=-1: 0 peers; absent: 4 peers (complete 3)
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
npm install --prefix . --ignore-scripts --omit=optional --no-audit --no-fund --silent \
  bittorrent-tracker@11.2.3
cat > tracker.mjs <<'JS'
import fs from 'node:fs'
import Server from './node_modules/bittorrent-tracker/server.js'
const server = new Server({ http: true, udp: false, ws: false, stats: false })
server.listen(0, '127.0.0.1', () => {
  fs.writeFileSync('port.new', String(server.http.address().port))
  fs.renameSync('port.new', 'port')
})
JS
node tracker.mjs &
server=$!
for _ in $(seq 300); do
  [ -e port ] && break
  kill -0 "$server"
  sleep 0.1
done
python3 - "$(cat port)" <<'PY'
import re
import sys
import urllib.request

base = f"http://127.0.0.1:{sys.argv[1]}"


def announce(number, left, more):
    url = (f"{base}/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-XX0000-abcdefghijk{number}"
           f"&port={5000 + number}&uploaded=0&downloaded=0&left={left}&compact=1{more}")
    with urllib.request.urlopen(url, timeout=10) as answer:
        body = answer.read()
    peers = int(re.search(rb"5:peers(\d+):", body).group(1)) // 6
    complete = int(re.search(rb"8:completei(\d+)e", body).group(1))
    return peers, complete


for seed in range(3):
    announce(seed, 0, "&event=started")
# The asker is one of the leechers from its first announce on, and is named too.
announce(9, 10, "&event=started")
zero, _ = announce(9, 10, "&numwant=0")
minus, complete = announce(9, 10, "&numwant=-1")
absent, _ = announce(9, 10, "")
print(f"numwant=0: {zero} peers; numwant=-1: {minus} peers; absent: {absent} peers "
      f"(complete {complete})")
assert complete == 3
if zero == 0 or minus > 0:
    sys.exit("changed: numwant is heeded now")
assert zero == absent >= 3
PY
