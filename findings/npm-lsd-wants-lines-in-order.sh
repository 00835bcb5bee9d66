#!/usr/bin/env bash
# npm bittorrent-lsd 2.0.3 (the local discovery of webtorrent), BEP 14.
# Guess: BEP 14 has the form of HTTP over UDP, so the names of header lines may be in any case and
# the lines in any order (RFC 9110, 5.1 and 5.3), and a line that is not known is passed over.
# Seen: Host must be the second line and Port the third, the names must be written exactly `Host`,
# `Port`, `Infohash` and `cookie`, and a space must follow the colon. Else the search is dropped
# with a warning.
# Output: as in BEP 14: heard; Port before Host: not heard; a line more after the first: not heard;
# names in capitals: not heard; no space after colons: not heard; Infohash last: heard
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --prefix . --ignore-scripts --no-audit --no-fund --silent bittorrent-lsd@2.0.3
cat > run.mjs <<'JS'
import dgram from 'node:dgram'
import LSD from 'bittorrent-lsd'

const first = 'BT-SEARCH * HTTP/1.1'
const host = 'Host: 239.192.152.143:6771'
const port = 'Port: 5000'
const cookie = 'cookie: abcdefgh'
const cases = [
  ['as in BEP 14', hash => [host, port, hash, cookie], true],
  ['Port before Host', hash => [port, host, hash, cookie], false],
  ['a line more after the first', hash => ['User-Agent: test', host, port, hash, cookie], false],
  ['names in capitals', hash => [host, port, hash, cookie]
    .map(line => line.replace(/^\w+/, name => name.toUpperCase())), false],
  ['no space after colons', hash => [host, port, hash, cookie]
    .map(line => line.replace(': ', ':')), false],
  ['Infohash last', hash => [host, port, cookie, hash], true]
]
const heard = new Set()
const lsd = new LSD({ peerId: '62'.repeat(20), infoHash: 'ff'.repeat(20), port: 6881 })
lsd.on('peer', (peer, hash) => heard.add(hash))
lsd.on('warning', () => {})
lsd.on('error', () => {})
lsd.start()
const socket = dgram.createSocket('udp4')
const hashes = cases.map((_, number) => `0${number}`.repeat(20))
// Sent again until the plain one is heard, then once more: loopback keeps the order.
for (let left = 100, after = 3; left > 0 && after > 0; left--) {
  cases.forEach(([, lines], number) => socket.send(
    [first, ...lines(`Infohash: ${hashes[number]}`), '', '', ''].join('\r\n'), 6771, '127.0.0.1'))
  await new Promise(resolve => setTimeout(resolve, 100))
  if (heard.has(hashes[0])) after--
}
socket.close()
lsd.destroy()
const found = hashes.map(hash => heard.has(hash))
const words = cases.map(([name], number) => `${name}: ${found[number] ? '' : 'not '}heard`)
console.log(words.join('; '))
if (!found[0] || !found[5]) process.exit(2)
if (found.some((one, number) => one !== cases[number][2])) {
  console.error('changed: it hears another form')
  process.exit(1)
}
JS
# Its own searches go to a multicast group: a network of its own keeps them in.
unshare --map-root-user --net bash -c \
  'ip link set lo up multicast on && ip route add 224.0.0.0/4 dev lo && timeout 60 node run.mjs'
