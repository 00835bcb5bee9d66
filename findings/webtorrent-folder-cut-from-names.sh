#!/usr/bin/env bash
# npm webtorrent 3.0.21, the `path` option of `client.add` and a web seed (BEP 19).
# Guess: `path` says where the files go on this machine; what a web seed is asked for depends on the
# torrent alone.
# Seen: the first place in a file's path in the torrent that equals the text of `path` is cut out of
# the URL. With `path: '.'` the server is asked for `album/01flac` instead of `album/01.flac`, with
# `path: 'al'` for `bum/01.flac`; each is answered with 404 and asked for again, and nothing says
# why. An absolute folder does not meet it.
# Output: folder as absolute path: /album/01.flac /album/02.flac, whole; '.': /album/01flac
# /album/02flac, nothing; 'al': /bum/01.flac /bum/02.flac, nothing
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --prefix . --ignore-scripts --omit=optional --no-audit --no-fund --silent \
  webtorrent@3.0.21 utp-native@2.5.3
# WebRTC wants a native part that is built elsewhere; plain torrents do without it.
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
import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { register } from 'node:module'
import path from 'node:path'
register('./hooks.mjs', import.meta.url)
const { default: WebTorrent } = await import('webtorrent')

const content = Buffer.alloc(10000, 'x')
const asked = new Set()
const server = http.createServer((request, response) => {
  asked.add(request.url)
  const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')
  const there = ['/album/01.flac', '/album/02.flac'].includes(request.url) && range
  response.writeHead(there ? 206 : 404)
  response.end(there ? content.subarray(Number(range[1]), Number(range[2]) + 1) : '')
})
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${server.address().port}/`
const torrent = Buffer.concat([
  Buffer.from('d4:infod5:filesld6:lengthi5000e4:pathl7:01.flaceed6:lengthi5000e4:pathl7:02.flacee' +
    'e4:name5:album12:piece lengthi16384e6:pieces20:'),
  crypto.createHash('sha1').update(content).digest(),
  Buffer.from(`e8:url-list${url.length}:${url}e`)])

async function download (folder) {
  fs.rmSync('album', { recursive: true, force: true })
  asked.clear()
  const client = new WebTorrent({
    dht: false, lsd: false, tracker: false, utp: false, utPex: false, natUpnp: false, natPmp: false
  })
  const whole = await new Promise(resolve => {
    const late = setTimeout(() => resolve(false), 8000)
    client.add(torrent, { path: folder }).on('done', () => { clearTimeout(late); resolve(true) })
  })
  await new Promise(resolve => client.destroy(resolve))
  return `${[...asked].sort().join(' ')}, ${whole ? 'whole' : 'nothing'}`
}

const absolute = await download(path.resolve('elsewhere'))
const dot = await download('.')
const part = await download('al')
console.log(`folder as absolute path: ${absolute}; '.': ${dot}; 'al': ${part}`)
if (absolute !== '/album/01.flac /album/02.flac, whole') process.exit(2)
if (dot === absolute || part === absolute) {
  console.error('changed: the names asked for are those of the torrent')
  process.exit(1)
}
process.exit(dot === '/album/01flac /album/02flac, nothing' &&
  part === '/bum/01.flac /bum/02.flac, nothing' ? 0 : 2)
JS
timeout 100 node run.mjs
