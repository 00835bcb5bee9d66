// npm's webtorrent as a client: joins the swarm of a torrent, checks what is in its folder, gets the rest, and seeds until it is
// stopped. Says {"event":"whole"} once it has everything. It speaks TCP only: its uTP and WebRTC stand on native modules that are
// built or fetched when they are installed, and browsers are no part of the tests. It dials the peer, joins the DHT by the node, and
// searches the local network, if it is told so. It dials with encryption, and accepts every form, unless it is told to be plain.
// usage: node webtorrent.mjs FOLDER_WITH_NODE_MODULES PORT TORRENT|LINK FOLDER [--peer HOST:PORT] [--node HOST:PORT] [--lsd] [--plain]
import { register } from 'node:module'
import { parseArgs } from 'node:util'

const { positionals: [modules, port, torrent, path], values: { peer, node, lsd, plain } } = parseArgs({
  allowPositionals: true,
  options: {
    peer: { type: 'string' }, node: { type: 'string' }, lsd: { type: 'boolean', default: false }, plain: { type: 'boolean', default: false }
  }
})

// What would load the native part of WebRTC gets nothing instead.
const hooks = `
  const script = (text) => ({ url: 'data:text/javascript,' + encodeURIComponent(text), shortCircuit: true })
  export async function resolve (name, context, next) {
    if (name !== 'webrtc-polyfill') return next(name, context)
    return script('export default {}; export const RTCPeerConnection = 0, RTCSessionDescription = 0, RTCIceCandidate = 0')
  }`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)

const { default: WebTorrent } = await import(`${modules}/node_modules/webtorrent/index.js`)
const say = (event, fields) => console.log(JSON.stringify({ event, ...fields }))
const client = new WebTorrent({
  torrentPort: Number(port), dhtPort: Number(port), dht: node ? { bootstrap: [node] } : false, lsd, utp: false, natUpnp: false,
  natPmp: false, secure: plain ? 0 : 2, tracker: { wrtc: false }
})
client.on('error', (error) => { say('error', { message: String(error) }); process.exit(1) })
const added = client.add(torrent, { path })
added.on('warning', (warning) => say('warning', { message: String(warning) }))
added.on('infoHash', () => { if (peer) added.addPeer(peer) })
added.on('metadata', () => say('metadata', { name: added.name }))
added.on('wire', (wire, addr) => say('wire', { addr }))
added.on('done', () => say('whole', { downloaded: added.downloaded }))
