#!/usr/bin/env bash
# npm bittorrent-tracker 11.2.3, its client over UDP (BEP 15).
# Guess: a request without answer is sent again after 15 seconds, then after 30 and so on, since UDP
# loses datagrams (BEP 15, "Time outs").
# Seen: each datagram is sent once. If the first is lost, the client warns after 15 seconds that the
# tracker timed out and is silent until its next interval; so one lost datagram costs a round of
# peers.
# Output: first datagram lost: 1 datagram in 40 s, warning after 15 s; none lost: connect, announce,
# update
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --prefix . --ignore-scripts --omit=optional --no-audit --no-fund --silent \
  bittorrent-tracker@11.2.3
# WebRTC wants a native part that is built elsewhere; UDP does without it.
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
import dgram from 'node:dgram'
import { register } from 'node:module'
register('./hooks.mjs', import.meta.url)
const { default: Client } = await import('bittorrent-tracker')

// Loses the first datagrams and answers the others; says what came within the seconds.
async function announce (lost, seconds) {
  const came = []
  const socket = dgram.createSocket('udp4')
  const begun = Date.now()
  socket.on('message', (packet, from) => {
    const action = packet.readUInt32BE(8)
    came.push(action ? 'announce' : 'connect')
    if (came.length <= lost) return
    const answer = Buffer.alloc(action ? 20 : 16)
    answer.writeUInt32BE(action, 0)
    packet.copy(answer, 4, 12, 16)
    if (action) answer.writeUInt32BE(1800, 8)
    socket.send(answer, from.port, from.address)
  })
  await new Promise(resolve => socket.bind(0, '127.0.0.1', resolve))
  const client = new Client({
    infoHash: Buffer.alloc(20, 'a'), peerId: Buffer.alloc(20, 'b'), port: 5000,
    announce: [`udp://127.0.0.1:${socket.address().port}/announce`]
  })
  let warned = 0
  client.on('error', () => {})
  client.on('warning', () => { warned ||= Math.round((Date.now() - begun) / 1000) })
  client.on('update', () => came.push('update'))
  client.start()
  await new Promise(resolve => setTimeout(resolve, seconds * 1000))
  return { came, warned }
}

const [lossy, clean] = await Promise.all([announce(1, 40), announce(0, 10)])
console.log(`first datagram lost: ${lossy.came.length} datagram in 40 s, warning after ` +
  `${lossy.warned} s; none lost: ${clean.came.join(', ')}`)
if (clean.came.join() !== 'connect,announce,update') process.exit(2)
if (lossy.came.length > 1) {
  console.error('changed: it asks again')
  process.exit(1)
}
process.exit(lossy.warned >= 14 && lossy.warned <= 17 ? 0 : 2)
JS
timeout 100 node run.mjs
