#!/usr/bin/env bash
# npm webtorrent 2.8.5, the last of version 2, and a magnet link.
# Guess: a fresh install of a released version reads a magnet link, the first example of its README.
# Seen: it takes any uint8-util 2, and hands that an info hash which is text already. uint8-util 2.2.5
# lets text pass; 2.3.2, which a fresh install gets, throws: `client.add` of any link ends in an
# exception that neither its error event nor its callback brings.
# Output: with uint8-util 2.3.2: exception; with 2.2.5: info hash
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
# WebRTC wants a native part that is built elsewhere; a link is read without it.
cat > stub.mjs <<'JS'
export class RTCPeerConnection {}
export class RTCSessionDescription {}
export class RTCIceCandidate {}
export default { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate }
JS
cat > hooks.mjs <<'JS'
const stub = new URL('./stub.mjs', import.meta.url).href
export async function resolve (name, context, next) {
  return name === 'webrtc-polyfill' ? { url: stub, shortCircuit: true } : next(name, context)
}
JS
cat > run.mjs <<'JS'
import { register } from 'node:module'
register('./hooks.mjs', import.meta.url)
const { default: WebTorrent } = await import('webtorrent')
const end = text => { console.log(text); process.exit(0) }
process.on('uncaughtException', () => end('exception'))
const client = new WebTorrent({
  dht: false, lsd: false, tracker: false, utp: false, utPex: false, natUpnp: false, natPmp: false
})
client.on('error', () => end('error event'))
setTimeout(() => end('nothing'), 15000)
client.add('magnet:?xt=urn:btih:' + '1'.repeat(40)).on('infoHash', () => end('info hash'))
JS
install() {
  npm install --prefix . --ignore-scripts --omit=optional --no-audit --no-fund --silent "$@"
}
install webtorrent@2.8.5 utp-native@2.5.3 uint8-util@2.3.2
newer=$(timeout 30 node run.mjs)
install uint8-util@2.2.5
older=$(timeout 30 node run.mjs)
echo "with uint8-util 2.3.2: $newer; with 2.2.5: $older"
[ "$older" = "info hash" ] || exit 2
if [ "$newer" = "info hash" ]; then
  echo "changed: the link is read" >&2
  exit 1
fi
[ "$newer" = "exception" ]
